-- Generic test: the condition is not false; under a column it follows its name. Name and argument are those of dbt_utils.
{% test expression_is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where not ({{ column_name if column_name is not none }} {{ expression }})
{% endtest %}
