"""
The matrix: real servers and frameworks, and whose id each of their lines carries.

`stacks` says what there is, `driver` starts a server, sends it requests and judges its
lines, `report` makes the table of `docs/stacks.md`. `apps/` has the applications, each
written as a user of its framework would write it.
"""
