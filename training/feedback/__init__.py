"""What a cascade's log says, although it only shows the tiers that were tried.

observed.py     an outcome store -> arrays            estimators.py   what a policy would be worth on a log
chances.py      how likely each tier was tried        overlap.py      what the log is too thin for
gate_truth.py   what a gate's verdict is worth        sequential.py   whether a challenger may take over
labels.py       observations -> soft labels           simulation.py   logs of which all outcomes are known
nesting.py      what one tier's success says          challenge.py    what champion and challenger are
                of a dearer one                                       worth, and which requests move
learn.py        a log -> a fitted model               verdicts.py     what a verdict says of one request
completion.py   outcomes that a log does not show
"""
