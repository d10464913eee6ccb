from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionunion.errors import MissingInput
from tokenizer.published.checkpoint_file import read_checkpoint


class Executes:
    """Makes a folder when it is unpickled by something that executes what a pickle says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return (Path.mkdir, (self.folder,))


def torch_file(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def compressed(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return file.getvalue()


def nested_tensor_file() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that these are a prototype
        return torch_file({"net": {"a": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}})


@pytest.mark.parametrize("container", ["torch", "bare pickle", "beside the network"])
def test_a_pickle_that_executes_code_is_refused_and_executes_nothing(tmp_path: Path, container: str) -> None:
    proof = tmp_path / "executed"
    harmful = Executes(proof)
    path = tmp_path / "65536_FSQ.pth"
    if container == "bare pickle":
        path.write_bytes(pickle.dumps({"net": harmful}, protocol=2))
    elif container == "torch":
        torch.save({"net": {"vqvae.encoder.model.0.weight": harmful}}, path)
    else:
        torch.save({"net": {"a": torch.zeros(2)}, "opt": harmful}, path)
    with pytest.raises(MissingInput, match=r"65536_FSQ\.pth is not a checkpoint that can be read without executing"):
        read_checkpoint(path)
    assert not proof.exists()
    # The same bytes do execute where they are let: the refusal is what keeps them from it.
    torch.load(path, weights_only=False) if container != "bare pickle" else pickle.loads(path.read_bytes())  # noqa: S301
    assert proof.exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a checkpoint"),
        (b"<html>not found</html>", "not a checkpoint"),
        (torch_file({"net": {"a": torch.zeros(9)}})[:-200], "not a checkpoint"),
        (compressed(torch_file({"net": {"a": torch.zeros(100_000)}})), "its parts are compressed"),
        (torch_file({"a": torch.zeros(2)}), "holds no network: wanted a checkpoint with one under net or vq_model"),
        (torch_file([torch.zeros(2)]), "holds no network"),
        (torch_file({"net": torch.zeros(2)}), "holds no network"),
        (torch_file({"net": {"a": "words"}}), "a is not a tensor of numbers"),
        (torch_file({"net": {"a": torch.zeros(2).to_sparse()}}), "not a"),
        (torch_file({"net": {"a": torch.zeros(1).expand(1 << 40)}}), r"a of shape \(1099511627776,\) is a view"),
        (torch_file({"net": dict.fromkeys("abcdef", torch.zeros(9000))}), "tensors share their numbers"),
        (torch_file({"net": {"a": torch.tensor([1.0, float("nan")])}}), "a holds numbers that are not finite"),
        (
            torch_file({"net": {"a": torch.full((2,), 1e300, dtype=torch.float64)}}),
            "a holds numbers that are not finite",
        ),
        (torch_file({"net": {"a": torch.zeros(2).to(torch.float8_e4m3fn)}}), "not a tensor of numbers of a usual kind"),
        (torch_file({"net": {"a": torch.zeros(2, dtype=torch.complex64)}}), "not a tensor of numbers of a usual kind"),
        (nested_tensor_file(), "not a tensor of numbers of a usual kind"),
        (torch_file({"net": {"a" * 10_000: None}}), "^.{1,600}$"),
        (torch_file({"net": {"a": torch.zeros(2), "module.a": torch.ones(2)}}), "a is there twice"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_strange_file_is_refused_in_words(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "net_last.pth"
    path.write_bytes(content)
    with pytest.raises(MissingInput, match=match):
        read_checkpoint(path)


def test_a_flipped_bit_in_a_weight_is_found(tmp_path: Path) -> None:
    data = bytearray(torch_file({"net": {"a": torch.full((1000,), 0.125)}}))
    place = data.find(torch.full((1000,), 0.125).numpy().tobytes())
    assert place > 0
    data[place + 2000] ^= 1
    path = tmp_path / "net_last.pth"
    path.write_bytes(data)
    with pytest.raises(MissingInput, match=r"data/0 in it is damaged"):
        read_checkpoint(path)


def test_a_refused_pickle_does_not_pass_on_the_advice_to_execute_it(tmp_path: Path) -> None:
    path = tmp_path / "net_last.pth"
    path.write_bytes(torch_file({"net": {"a": Path("x")}}))
    with pytest.raises(MissingInput, match="it asks for more than tensors") as refused:
        read_checkpoint(path)
    assert "weights_only" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of pickles of other protocols
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zipped=st.booleans(),
    cut=st.none() | st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_anywhere_is_an_error_in_words_or_harmless(tmp_path: Path, zipped, cut, changes) -> None:
    file = io.BytesIO()
    torch.save({"net": {"a": torch.zeros(3), "b": torch.ones(2, 2)}}, file, _use_new_zipfile_serialization=zipped)
    data = bytearray(file.getvalue())
    for place, value in changes:
        data[int(place * len(data))] = value
    path = tmp_path / "net_last.pth"
    path.write_bytes(data if cut is None else data[: int(cut * len(data))])
    try:
        assert all(isinstance(tensor, torch.Tensor) for tensor in read_checkpoint(path).values())
    except MissingInput as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - either outcome is right, another error is not


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="is not there: give the checkpoint file"):
        read_checkpoint(tmp_path / "net_last.pth")
    with pytest.raises(MissingInput, match="is a folder: give the checkpoint file in it"):
        read_checkpoint(tmp_path)


def test_what_a_training_run_keeps_beside_its_network_is_left_out(tmp_path: Path) -> None:
    weights = {"weight": torch.ones(2, 2), "bias": torch.zeros(2)}
    moments = {"step": torch.tensor(7.0), "exp_avg": torch.zeros(2, 2), "exp_avg_sq": torch.zeros(2, 2)}
    # As AdamW's and MultiStepLR's `state_dict` give them.
    optimizer = {"state": {0: moments}, "param_groups": [{"lr": 2e-4, "betas": (0.9, 0.99), "params": [0]}]}
    scheduler = {"milestones": Counter([150_000, 250_000]), "gamma": 0.1, "last_epoch": 7, "_last_lr": [2e-4]}
    path = tmp_path / "net_best_fid.tar"
    torch.save({"vq_model": weights, "opt_vq_model": optimizer, "scheduler": scheduler, "ep": 3, "total_it": 7}, path)
    assert set(read_checkpoint(path)) == {"weight", "bias"}


def test_files_older_than_pytorchs_zip_format_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net_last.pth"
    torch.save({"net": {"module.a": torch.arange(3.0)}}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_checkpoint(path)["a"], torch.arange(3.0))
