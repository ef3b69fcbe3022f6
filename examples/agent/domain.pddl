; What the robot can do. Types of things come from the classes that the scene graph knows.
(define (domain robot)
  (:requirements :adl :typing)
  (:types item surface - thing {classes})
  (:predicates
    (on ?x ?y - thing)
    (holding ?x - item)
    (hand-empty)
    (within-reach ?x - thing)
    (out-of-reach ?x - thing)      ; what failed before, and why it is not to be tried again
    (no-room ?x - item ?y - surface))
  (:action go-to
    :parameters (?x - thing)
    :precondition (and (not (within-reach ?x)) (not (out-of-reach ?x)))
    :effect (and (within-reach ?x)
      (forall (?o - thing) (when (not (= ?o ?x)) (not (within-reach ?o))))))
  (:action pick
    :parameters (?x - item)
    :precondition (and (within-reach ?x) (hand-empty))
    :effect (and (holding ?x) (not (hand-empty)) (not (within-reach ?x))
      (forall (?o - thing) (not (on ?x ?o)))))
  (:action place
    :parameters (?x - item ?y - surface)
    :precondition (and (within-reach ?y) (holding ?x) (not (no-room ?x ?y)))
    :effect (and (on ?x ?y) (hand-empty) (not (holding ?x)))))
