"""The description of a room that MuJoCo compiles: bodies, geoms, materials, textures, lights."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Item, Light, Material, Solid
from dsflash_ros.toyroom.build.textures import SIDE, paint
from dsflash_ros.toyroom.physics.engine import mujoco

_LATHE_SIDES = 20
"""How many sides the polygons have that stand for the circles of a lathe."""


def describe_room(items: list[Item], lights: Sequence[Light]) -> tuple["mujoco.MjSpec", list[int]]:
    """Describe a room. The body of item i is called item_i.

    Returns:
        The description, and the index of the item that each geom belongs to.

    Raises:
        ToyroomError: an item holds itself, maybe over others, or both moves and is held.
    """
    spec = mujoco.MjSpec()
    _set_options(spec, lights)
    for light in lights:
        _add_light(spec, light)
    bodies: dict[int, mujoco.MjsBody] = {}
    materials: dict[Material, str] = {}
    for index in sorted(range(len(items)), key=lambda i: _depth(items, i)):
        bodies[index] = _add_body(spec, items, index, bodies)
        for number, solid in enumerate(items[index].solids):
            material = _add_material(spec, solid.material, materials)
            _add_geom(spec, bodies[index], solid, f"item_{index}_{number}", material)
    owners = []  # MuJoCo numbers geoms body by body, and bodies depth first
    for body in spec.bodies:
        owners += [int(geom.name.split("_")[1]) for geom in body.geoms]
    return spec, owners


def _set_options(spec: "mujoco.MjSpec", lights: Sequence[Light]) -> None:
    """Set the time step, the quality of the rendering and the light that comes from everywhere."""
    spec.option.timestep = 0.004
    spec.stat.extent = 1.0  # makes the unit of znear and zfar one metre
    spec.stat.center = [0, 0, 0]
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 30.0
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 20, 12
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 1024, 0
    brightness = np.mean([light.strength.mean() for light in lights]) if lights else 0.5
    spec.visual.headlight.ambient = np.full(3, 0.25 + 0.2 * brightness)
    spec.visual.headlight.diffuse = np.full(3, 0.25)
    spec.visual.headlight.specular = np.full(3, 0.05)


def _add_light(spec: "mujoco.MjSpec", light: Light) -> None:
    kind = mujoco.mjtLightType.mjLIGHT_SPOT
    if light.distant:
        kind = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    spec.worldbody.add_light(
        type=kind,
        pos=light.position,
        dir=light.direction,
        diffuse=light.strength,
        specular=0.2 * light.strength,
        ambient=np.zeros(3),
        castshadow=light.shadows,
        cutoff=75.0,
        exponent=1.0,
        attenuation=[1, 0, 0.02],
    )


def _depth(items: list[Item], index: int) -> int:
    """How many holders an item has: its own, that one's, and so on."""
    depth, holder = 0, items[index].holder
    while holder is not None:
        depth, holder = depth + 1, items[holder].holder
        if depth > len(items):
            raise ToyroomError(f"item {index} holds itself, over others")
    return depth


def _add_body(
    spec: "mujoco.MjSpec", items: list[Item], index: int, bodies: dict[int, "mujoco.MjsBody"]
) -> "mujoco.MjsBody":
    """Add the body of an item, to that of its holder if it has one."""
    item, parent = items[index], spec.worldbody
    position, rotation = item.position, item.rotation
    if item.holder is not None:
        holder, parent = items[item.holder], bodies[item.holder]
        position = holder.rotation.T @ (position - holder.position)
        rotation = holder.rotation.T @ rotation
    body = parent.add_body(name=f"item_{index}", pos=position, quat=_quaternion(rotation))
    if item.moves:
        if item.holder is not None:
            raise ToyroomError(f"item {index}, a {item.name}, cannot both fall and be held")
        body.add_freejoint()
    return body


def _add_geom(
    spec: "mujoco.MjSpec", body: "mujoco.MjsBody", solid: Solid, name: str, material: str
) -> None:
    """Add the geom of a solid to its item's body."""
    kind = {
        "box": mujoco.mjtGeom.mjGEOM_BOX,
        "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
        "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
        "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
        "lathe": mujoco.mjtGeom.mjGEOM_MESH,
    }[solid.kind]
    size, others = np.zeros(3), {}
    if not solid.collides:
        others |= {"contype": 0, "conaffinity": 0, "mass": 0.0}
    if solid.kind == "lathe":
        _add_mesh(spec, name, solid.size)
        others["meshname"] = name
    else:
        size[: len(solid.size)] = solid.size
    body.add_geom(
        name=name,
        type=kind,
        size=size,
        pos=solid.position,
        quat=_quaternion(solid.rotation),
        material=material,
        density=200.0,
        condim=6,  # with rolling friction, or balls would roll for ever
        friction=[0.9, 0.02, 0.02],
        **others,
    )


def _add_material(spec: "mujoco.MjSpec", material: Material, known: dict[Material, str]) -> str:
    """Add a material unless it is known. Returns its name in MuJoCo."""
    if material in known:
        return known[material]
    name = known[material] = f"material_{len(known)}"
    made = spec.add_material(
        name=name,
        rgba=[*material.rgb, 1],
        emission=material.glow,
        specular=material.shine,
        shininess=material.shine,
    )
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


def _add_mesh(spec: "mujoco.MjSpec", name: str, profile: np.ndarray) -> None:
    """Add the mesh of a profile, (K, 2) radius and height, that is turned around z."""
    angles = np.linspace(0, 2 * np.pi, _LATHE_SIDES, endpoint=False)
    radius, height = profile[:, :1], profile[:, 1:]
    height = np.broadcast_to(height, (len(profile), _LATHE_SIDES))
    rings = np.stack((radius * np.cos(angles), radius * np.sin(angles), height), -1)
    # two triangles for each side of each ring but the last, with the outside facing out
    ring = np.arange(len(profile) - 1)[:, None] * _LATHE_SIDES
    here = ring + np.arange(_LATHE_SIDES)
    beside = ring + (np.arange(_LATHE_SIDES) + 1) % _LATHE_SIDES
    above, diagonal = here + _LATHE_SIDES, beside + _LATHE_SIDES
    lower, upper = np.stack((here, beside, diagonal), -1), np.stack((here, diagonal, above), -1)
    spec.add_mesh(
        name=name,
        uservert=rings.ravel(),
        userface=np.concatenate((lower, upper)).ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
    )


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """The quaternion, (4,) w x y z, of a (3, 3) rotation."""
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation, float).ravel())
    return quaternion
