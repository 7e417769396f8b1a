"""What the e-commerce domain's tables and checks must hold, computed without our code: from the messages as they were sent.

`messages` makes days of shopping in three dialects, clean or damaged. `structure` says which messages are events at all.
`marts.sql` computes the six gold tables and the sessions in PostgreSQL, `checks` the seven checks in plain Python. All of it is
written from the domain's rules, not from our SQL.
"""
