-- Generic test: the values are those of a row of another table. Instead of dbt's own, because this one takes several columns:
-- `columns` and `fields`, or `field` under a column.
{% test relationships(model, to, field=none, columns=none, fields=none, column_name=none) %}
{%- set own = [column_name] if column_name is not none else columns -%}
{%- set theirs = [field] if column_name is not none else fields %}
select child.*
from {{ model }} as child
where
    {%- for column in own %}
    child.{{ column }} is not null and
    {%- endfor %}
    not exists (
        select 1 from {{ to }} as parent
        where {% for column in own %}{{ 'and ' if not loop.first }}parent.{{ theirs[loop.index0] }} = child.{{ column }} {% endfor %}
    )
{% endtest %}
