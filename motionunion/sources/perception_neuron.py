"""BVH from Perception Neuron suits."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class PerceptionNeuron(BvhExporter):
    """Captures with Noitom's Perception Neuron suits, as Axis Neuron exports them.

    Whoever captured them has the rights. Centimetres, +Y up, rotations YXZ, 60 or 120 fps, six channels at every joint or at
    the root alone, legs before the trunk; newer suits have three spine and two neck joints instead of four and one. At zero
    rotation the body stands in a T-pose, all axes the world's. There are no toe joints: the foot's End Site says where the
    toes begin.
    """

    name = "perception_neuron"
    skeleton_ids = ("perception_neuron", "perception_neuron_neck1")
