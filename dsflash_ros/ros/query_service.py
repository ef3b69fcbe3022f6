"""The service `~/query`: the newest graph of a camera answers questions."""

import traceback

from rclpy.node import Node
from std_msgs.msg import Header

from dsflash_ros import msg
from dsflash_ros.errors import QueryError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.query import Answers, query
from dsflash_ros.ros.messages.graph_messages import node_to_message, relation_to_message
from dsflash_ros.srv import Query


class QueryService:
    """Answers in the thread of the node's executor, while the worker goes on.

    Args:
        node: whose service it is.
        prefix: before the service's name, as `front/`; empty for none.

    Attributes:
        answered, refused: counts of the questions.
    """

    def __init__(self, node: Node, prefix: str = "") -> None:
        self.answered = self.refused = 0
        self._node = node
        self._vocabulary: Vocabulary | None = None
        self._newest: tuple[SceneGraph, Header] | None = None
        node.create_service(Query, f"~/{prefix}query", self._answer)

    def open(self, vocabulary: Vocabulary) -> None:
        """Answer questions from now on; `vocabulary` is that of the model."""
        self._newest, self._vocabulary = None, vocabulary

    def close(self) -> None:
        """Forget the graph, and refuse questions."""
        self._newest = self._vocabulary = None

    def put(self, graph: SceneGraph, header: Header) -> None:
        """Answer from this graph; called from the worker's thread, which never waits here."""
        self._newest = graph, header

    def _answer(self, request: Query.Request, response: Query.Response) -> Query.Response:
        newest, vocabulary = self._newest, self._vocabulary
        try:
            if vocabulary is None:
                raise QueryError("the node is not active; activate it first")
            if newest is None:
                raise QueryError("there is no graph yet: no image has been processed")
            graph, response.header = newest
            answers = query(graph, request.query, request.limit or None, vocabulary)
            _fill(response, answers)
        except QueryError as error:
            response.message = str(error)
        except Exception:
            # without a response, who asks would wait for ever
            self._node.get_logger().error(f"a question failed:\n{traceback.format_exc()}")
            response.message = "this question failed; the node's log says why"
        self.answered += response.success
        self.refused += not response.success
        return response


def _fill(response: Query.Response, answers: Answers) -> None:
    nodes = {}  # each becomes a message once, however many answers it is in
    for answer in answers:
        for node in answer.nodes.values():
            if node.id not in nodes:
                nodes[node.id] = node_to_message(node)
    response.variables = list(answers.variables)
    response.answers = [
        msg.QueryAnswer(
            nodes=[nodes[node.id] for node in answer.nodes.values()],
            relations=[relation_to_message(relation) for relation in answer.relations],
            score=float(answer.score),
        )
        for answer in answers
    ]
    response.is_cut = answers.is_cut
    response.success = True
