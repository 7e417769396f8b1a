-- Generic test: the table has so many rows.
{% test row_count_between(model, min_value=none, max_value=none) %}
    {% set below = 'row_count < ' ~ min_value if min_value is not none else 'false' %}
    {% set above = 'row_count > ' ~ max_value if max_value is not none else 'false' %}
select row_count
from (select count(*) as row_count from {{ model }}) as counted
where {{ below }} or {{ above }}
{% endtest %}
