"""Readers of data sets, one file each; `SOURCES` lists them by manifest name."""

from __future__ import annotations

from motionunion.sources.aistpp import AistPlusPlus
from motionunion.sources.amass import Amass
from motionunion.sources.amass_annotations import AmassAnnotations
from motionunion.sources.animated_drawings import AnimatedDrawings
from motionunion.sources.azure_kinect import AzureKinect
from motionunion.sources.babel import Babel
from motionunion.sources.bandai_namco import BandaiNamco
from motionunion.sources.base import Claim, Folder, Reading, ReadOptions, Skip, Source
from motionunion.sources.behave import Behave
from motionunion.sources.bones_seed import BonesSeed
from motionunion.sources.bvh_mapped import BvhMapped
from motionunion.sources.cmu_asfamc import CmuAsfAmc
from motionunion.sources.cmu_bvh import Cmu3dsMax, CmuCgspeed, CmuDaz
from motionunion.sources.combat_motion import CombatMotion
from motionunion.sources.egobody import EgoBody
from motionunion.sources.grab import Grab
from motionunion.sources.humanact12 import HumanAct12
from motionunion.sources.humanik_z_up import HumanIkZUp
from motionunion.sources.humanml3d import HumanML3D
from motionunion.sources.humman import HuMMan
from motionunion.sources.inter_x import InterX
from motionunion.sources.interhuman import InterHuman
from motionunion.sources.joint_arrays import JointArrays
from motionunion.sources.kitml import KitML
from motionunion.sources.lafan1 import Lafan1
from motionunion.sources.mixamo import Mixamo
from motionunion.sources.mocapnet import MocapNet
from motionunion.sources.motion_x import MotionX
from motionunion.sources.motionhub import MotionHub
from motionunion.sources.motionmillion import MotionMillion
from motionunion.sources.motionstreamer_272 import MotionStreamer272
from motionunion.sources.perception_neuron import PerceptionNeuron
from motionunion.sources.rokoko import Rokoko
from motionunion.sources.smoodi import Smoodi
from motionunion.sources.smpl_bvh import SmplBvh
from motionunion.sources.smpl_fits import SmplFits
from motionunion.sources.style100 import Style100
from motionunion.sources.xia_style import XiaStyle
from motionunion.sources.xsens import Xsens

__all__ = ["SOURCES", "Claim", "Folder", "ReadOptions", "Reading", "Skip", "Source"]

_READERS: tuple[Source, ...] = (
    JointArrays(),
    CombatMotion(),
    Smoodi(),
    MotionStreamer272(),
    MotionMillion(),
    MotionX(),
    HumanML3D(),
    InterX(),
    InterHuman(),
    KitML(),
    Babel(),
    AmassAnnotations(),
    HumanAct12(),
    MotionHub(),
    AistPlusPlus(),
    Behave(),
    EgoBody(),
    Grab(),
    HuMMan(),
    Amass("smplh"),
    Amass("smplx"),
    SmplFits(),
    BandaiNamco(1),
    BandaiNamco(2),
    Style100(),
    Lafan1(),
    XiaStyle(),
    CmuCgspeed(),
    Cmu3dsMax(),
    CmuDaz(),
    MocapNet(),
    Mixamo(),
    Xsens(),
    HumanIkZUp(),
    AnimatedDrawings(),
    SmplBvh(),
    PerceptionNeuron(),
    Rokoko(),
    BonesSeed(),
    AzureKinect(),
    BvhMapped(),
    CmuAsfAmc(),
)

SOURCES: dict[str, Source] = {reader.name: reader for reader in _READERS}
"""Every reader by name, in the order in which they are asked: whole folders before single files."""
