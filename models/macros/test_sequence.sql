-- Generic test: a value (of a column, or an expression over columns) never falls below that of the row before it in its group.
{% test sequence(model, group_by, order_by, expression=none, column_name=none) %}
{% set value = column_name if column_name is not none else expression %}
{% set groups = group_by if group_by is string else group_by | join(', ') %}
{% set orders = order_by if order_by is string else order_by | join(', ') %}
select *
from (
    select
        *,
        {{ value }} as sequence_value,
        lag({{ value }}) over (partition by {{ groups }} order by {{ orders }}, {{ value }}) as sequence_previous
    from {{ model }}
    where ({{ value }}) is not null
) as rows_in_order
where sequence_value < sequence_previous
{% endtest %}
