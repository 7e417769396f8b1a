-- Generic test: no two rows share these columns. The name and the argument are those of dbt_utils, which is not needed for this.
{% test unique_combination_of_columns(model, combination_of_columns) %}
select {{ combination_of_columns | join(', ') }}
from {{ model }}
group by {{ combination_of_columns | join(', ') }}
having count(*) > 1
{% endtest %}
