"""What a camera sends besides its image, as messages.

Imports neither MuJoCo nor torch.
"""

import cv2
import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.transforms import Transform as RigidTransform
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.true_positions import MAP_FRAME, lens, pose


def camera_info(camera: Camera, header: Header) -> CameraInfo:
    """Size and intrinsics of a lens without distortion."""
    return intrinsics_to_message(lens(camera), header)


def intrinsics_to_message(camera: Intrinsics, header: Header) -> CameraInfo:
    """A camera's calibration as a message; the image is taken to be rectified as it is."""
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model="plumb_bob",
        d=list(camera.distortion) or [0.0] * 5,
        k=k.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack((k, np.zeros((3, 1)))).ravel(),
    )


def camera_transform(camera: Camera, header: Header) -> TransformStamped:
    """Where the header's frame, which is the camera's optical frame, is in `MAP_FRAME`."""
    return transform_to_message(pose(camera), MAP_FRAME, header)


def transform_to_message(place: RigidTransform, parent: str, header: Header) -> TransformStamped:
    """Where the header's frame is in the frame `parent`, at the header's time."""
    rotation = cv2.Rodrigues(place.rotation)[0].ravel()  # axis times angle
    half = np.linalg.norm(rotation) / 2
    x, y, z = rotation / 2 * np.sinc(half / np.pi)
    return TransformStamped(
        header=Header(stamp=header.stamp, frame_id=parent),
        child_frame_id=header.frame_id,
        transform=Transform(
            translation=Vector3(**dict(zip("xyz", map(float, place.translation), strict=True))),
            rotation=Quaternion(x=float(x), y=float(y), z=float(z), w=float(np.cos(half))),
        ),
    )
