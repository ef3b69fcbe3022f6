; What a robot with one hand can do with what a scene graph tells.
; scene_graph.yaml says which classes are of which type, and which predicates are which here.
(define (domain scene_graph)
  (:requirements :strips :typing)

  (:types movable support person other - object)

  (:constants elsewhere - object) ; where the robot is when it is near nothing

  (:predicates
    ; told by scene graphs
    (on ?a ?b - object)
    (in ?a ?b - object)
    (attached ?a ?b - object)
    (holds ?a ?b - object)
    (leans-on ?a ?b - object)
    (beside ?a ?b - object)
    ; told by the robot
    (near ?a - object) ; within its reach
    (hand-empty)
    (in-hand ?a - movable))

  (:action go-to
    :parameters (?from ?to - object)
    :precondition (and (near ?from))
    :effect (and (not (near ?from)) (near ?to)))

  (:action pick
    :parameters (?what - movable ?from - object)
    :precondition (and (near ?what) (on ?what ?from) (hand-empty))
    :effect (and (in-hand ?what) (not (on ?what ?from)) (not (hand-empty))))

  (:action pick-out
    :parameters (?what - movable ?from - object)
    :precondition (and (near ?what) (in ?what ?from) (hand-empty))
    :effect (and (in-hand ?what) (not (in ?what ?from)) (not (hand-empty))))

  (:action place
    :parameters (?what - movable ?to - support)
    :precondition (and (near ?to) (in-hand ?what))
    :effect (and (on ?what ?to) (hand-empty) (not (in-hand ?what)))))
