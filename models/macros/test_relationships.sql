-- Generic test: the values are those of a row of another table. Instead of dbt's own, because this one takes several columns:
-- `columns` and `fields`, or `field` under a column.
{% test relationships(model, to, field=none, columns=none, fields=none, column_name=none) %}
    {% set own = [column_name] if column_name is not none else columns %}
    {% set theirs = [field] if column_name is not none else fields %}
    {% set known, equal = [], [] %}
{% for column in own %}
{% do known.append('child.' ~ column ~ ' is not null') %}
{% do equal.append('parent.' ~ theirs[loop.index0] ~ ' = child.' ~ column) %}
{% endfor %}
select child.*
from {{ model }} as child
where {{ known | join(' and ') }}
    and not exists (select 1 from {{ to }} as parent where {{ equal | join(' and ') }})
{% endtest %}
