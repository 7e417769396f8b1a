-- Generic test: the value lies between the bounds; null passes. Name and arguments are those of dbt_utils, which is not needed.
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
    {% set below = column_name ~ (' < ' if inclusive else ' <= ') ~ min_value if min_value is not none else 'false' %}
    {% set above = column_name ~ (' > ' if inclusive else ' >= ') ~ max_value if max_value is not none else 'false' %}
select *
from {{ model }}
where {{ below }} or {{ above }}
{% endtest %}
