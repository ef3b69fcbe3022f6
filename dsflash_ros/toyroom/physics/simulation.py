"""Rooms in MuJoCo: items fall until they rest."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dsflash_ros.errors import ToyroomError, missing_extra
from dsflash_ros.toyroom.build.scene import Item, Light, Material, Solid
from dsflash_ros.toyroom.build.solids import extent
from dsflash_ros.toyroom.build.textures import SIDE, paint
from dsflash_ros.toyroom.physics.backend import INSTALL, choose_backend

choose_backend()
try:
    import mujoco
except ImportError as error:
    raise missing_extra("toyroom", error) from error
except (
    Exception
) as error:  # MuJoCo loads its renderer on import; a wrong MUJOCO_GL raises this or that
    raise ToyroomError(
        f"MuJoCo cannot start with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} ({error}); unset it, or {INSTALL}"
    ) from error

_SECONDS = 3.0
"""What has not come to rest by then never does."""

_AT_REST = 0.02
"""Highest speed of what rests, m/s and rad/s: contacts never stand wholly still."""

_MAX_SLIDE, _MAX_TILT = 0.25, np.radians(20)
"""An item that moved further from where it was put, or is tilted more, has fallen off or over."""

_LATHE_SIDES = 20


class Simulation:
    """A MuJoCo model of a room.

    Attributes:
        items: with their poses as they are now.
        model, data: MuJoCo's own.
        item_of_geom: (ngeom,) int, index of the item that each geom belongs to.
    """

    def __init__(self, items: Sequence[Item], lights: Sequence[Light] = ()) -> None:
        """Raises `ToyroomError` when MuJoCo cannot build it."""
        self.items = list(items)
        spec, owners = _build(self.items, lights)
        try:
            self.model = spec.compile()
        except ValueError as error:
            raise ToyroomError(
                f"MuJoCo cannot build the room: {' '.join(str(error).split())}"
            ) from error
        self.item_of_geom = np.array(owners)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)

    def settle(self) -> bool:
        """Let what moves fall until it rests, and take over its pose.

        False when it does not, or fell off or over.
        """
        if self.model.nv:
            steps = int(0.2 / self.model.opt.timestep)
            for _ in range(int(_SECONDS / 0.2)):
                mujoco.mj_step(self.model, self.data, nstep=steps)
                if np.abs(self.data.qvel).max() < _AT_REST:
                    break
            else:
                return False
        mujoco.mj_forward(self.model, self.data)
        before, self.items = self.items, [self._moved(i, item) for i, item in enumerate(self.items)]
        return all(_stayed(old, new) for old, new in zip(before, self.items, strict=True))

    def _moved(self, index: int, item: Item) -> Item:
        body = self.model.body(f"item_{index}").id
        return replace(
            item,
            position=self.data.xpos[body].copy(),
            rotation=self.data.xmat[body].reshape(3, 3).copy(),
        )

    def extents(self) -> np.ndarray:
        """(N, 2, 3): lower and upper corner of the axis-aligned box around each item, in the world."""
        return np.stack([extent(item) for item in self.items])


def _stayed(old: Item, new: Item) -> bool:
    if not old.moves:
        return True
    tilt = np.arccos(np.clip(old.rotation[:, 2] @ new.rotation[:, 2], -1, 1))
    rolls = len(old.solids) == 1 and old.solids[0].kind == "sphere"
    return bool(
        np.linalg.norm(new.position - old.position) < _MAX_SLIDE and (rolls or tilt < _MAX_TILT)
    )


def _build(items: list[Item], lights: Sequence[Light]) -> tuple["mujoco.MjSpec", list[int]]:
    """The model's description, and the item of each geom."""
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.004
    spec.stat.extent = 1.0  # near and far planes below are then in metres
    spec.stat.center = [0, 0, 0]
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 30.0
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 20, 12
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 1024, 0
    ambient = np.mean([light.strength.mean() for light in lights]) if lights else 0.5
    spec.visual.headlight.ambient = np.full(3, 0.25 + 0.2 * ambient)
    spec.visual.headlight.diffuse = np.full(3, 0.25)
    spec.visual.headlight.specular = np.full(3, 0.05)
    for light in lights:
        spec.worldbody.add_light(
            pos=light.position, dir=light.direction, diffuse=light.strength, specular=0.2 * light.strength,
            ambient=np.zeros(3), castshadow=light.shadows, cutoff=75.0, exponent=1.0, attenuation=[1, 0, 0.02],
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL if light.distant else mujoco.mjtLightType.mjLIGHT_SPOT,
        )  # fmt: skip
    bodies: dict[int, mujoco.MjsBody] = {}
    materials: dict[Material, str] = {}
    for index in sorted(range(len(items)), key=lambda i: _depth(items, i)):
        bodies[index] = _add_body(spec, items, index, bodies)
        for number, solid in enumerate(items[index].solids):
            _add_geom(
                spec,
                bodies[index],
                solid,
                f"item_{index}_{number}",
                _material(spec, solid.material, materials),
            )
    owners = []  # MuJoCo numbers geoms body by body, bodies depth first
    for body in spec.bodies:
        owners += [int(geom.name.split("_")[1]) for geom in body.geoms]
    return spec, owners


def _depth(items: list[Item], index: int) -> int:
    depth, holder = 0, items[index].holder
    while holder is not None:
        depth, holder = depth + 1, items[holder].holder
        if depth > len(items):
            raise ToyroomError(f"item {index} holds itself, over others")
    return depth


def _add_body(
    spec: "mujoco.MjSpec", items: list[Item], index: int, bodies: dict
) -> "mujoco.MjsBody":
    item, parent = items[index], spec.worldbody
    position, rotation = item.position, item.rotation
    if item.holder is not None:
        holder = items[item.holder]
        parent = bodies[item.holder]
        position, rotation = (
            holder.rotation.T @ (position - holder.position),
            holder.rotation.T @ rotation,
        )
    body = parent.add_body(name=f"item_{index}", pos=position, quat=_quaternion(rotation))
    if item.moves:
        if item.holder is not None:
            raise ToyroomError(f"item {index}, a {item.name}, cannot both fall and be held")
        body.add_freejoint()
    return body


def _add_geom(
    spec: "mujoco.MjSpec", body: "mujoco.MjsBody", solid: Solid, name: str, material: str
) -> None:
    kinds = mujoco.mjtGeom
    others = {} if solid.collides else {"contype": 0, "conaffinity": 0, "mass": 0.0}
    kind, size = (
        {
            "box": kinds.mjGEOM_BOX,
            "sphere": kinds.mjGEOM_SPHERE,
            "ellipsoid": kinds.mjGEOM_ELLIPSOID,
            "cylinder": kinds.mjGEOM_CYLINDER,
            "capsule": kinds.mjGEOM_CAPSULE,
            "lathe": kinds.mjGEOM_MESH,
        }[solid.kind],
        np.zeros(3),
    )
    if solid.kind == "lathe":
        vertices, faces = _turn(solid.size)
        spec.add_mesh(name=name, uservert=vertices.ravel(), userface=faces.ravel(),
                      inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)  # fmt: skip
        others["meshname"] = name
    else:
        size[: len(solid.size)] = solid.size
    # rolling friction, or balls would roll for ever
    body.add_geom(name=name, type=kind, size=size, pos=solid.position, quat=_quaternion(solid.rotation),
                  material=material, density=200.0, condim=6, friction=[0.9, 0.02, 0.02], **others)  # fmt: skip


def _material(spec: "mujoco.MjSpec", material: Material, known: dict[Material, str]) -> str:
    if material in known:
        return known[material]
    name = known[material] = f"material_{len(known)}"
    made = spec.add_material(name=name, rgba=[*material.rgb, 1], emission=material.glow,
                             specular=material.shine, shininess=material.shine)  # fmt: skip
    if material.texture:
        texture = spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=SIDE, height=SIDE, nchannel=3
        )
        texture.data = paint(material.texture, material.rgb, material.seed).tobytes()
        made.rgba = [1, 1, 1, 1]
        made.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
        made.texuniform = material.repeat > 0
        made.texrepeat = np.full(2, material.repeat or 1.0)
    return name


def _turn(profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a profile (K, 2) of radius and height turned around z, outside
    facing out.
    """
    angles = np.linspace(0, 2 * np.pi, _LATHE_SIDES, endpoint=False)
    radius, height = profile[:, :1], profile[:, 1:]
    rings = np.stack(
        (
            radius * np.cos(angles),
            radius * np.sin(angles),
            np.broadcast_to(height, (len(profile), _LATHE_SIDES)),
        ),
        -1,
    )
    here = np.arange(len(profile) - 1)[:, None] * _LATHE_SIDES + np.arange(_LATHE_SIDES)
    beside = (
        np.arange(len(profile) - 1)[:, None] * _LATHE_SIDES
        + (np.arange(_LATHE_SIDES) + 1) % _LATHE_SIDES
    )
    above, diagonal = here + _LATHE_SIDES, beside + _LATHE_SIDES
    faces = np.concatenate(
        (np.stack((here, beside, diagonal), -1), np.stack((here, diagonal, above), -1))
    )
    return rings.reshape(-1, 3), faces.reshape(-1, 3)


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation, float).ravel())
    return quaternion
