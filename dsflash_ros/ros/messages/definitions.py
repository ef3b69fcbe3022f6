"""The package's messages as `rosbags` knows messages."""

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from dsflash_ros import msg

_MESSAGES = (
    msg.SceneGraph,
    msg.SceneNode,
    msg.SceneRelation,
    msg.StageLatency,
    msg.SceneGraphEvents,
    msg.SceneGraphEvent,
)
_IDL_TYPES = {"boolean": "bool", "float": "float32", "double": "float64"}


def message_store() -> Typestore:
    """Reads and writes serialised messages: those of ROS, and graphs and events."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for message_type in _MESSAGES:
        store.register(get_types_from_msg(definition(message_type), type_name(message_type)))
    return store


def type_name(message_type) -> str:
    """Of a class of messages, as `dsflash_ros/msg/SceneGraph`."""
    return f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"


def definition(message_type) -> str:
    """The text of a message type's .msg file; the files themselves are not installed everywhere."""
    meta = type(message_type)
    constants = [name for name, kind in vars(meta).items() if isinstance(kind, property)]
    # the classes do not say of which type a constant is; ours are all uint8
    lines = [f"uint8 {name}={getattr(message_type, name)}\n" for name in constants]
    for name, kind in message_type.get_fields_and_field_types().items():
        inner = kind.removeprefix("sequence<").removesuffix(">")
        brackets = "[]" if inner != kind else ""
        lines.append(f"{_IDL_TYPES.get(inner, inner)}{brackets} {name}\n")
    return "".join(lines)
