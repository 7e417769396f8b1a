-- Generic test: of all messages, no more were refused than the threshold in the test's meta lets fail.
{% test quarantined(model, to) %}
{%- set meta = config.get('meta', {}) %}
{%- set threshold = meta.threshold if meta is mapping and 'threshold' in meta else 0.99 %}
select refused.messages
from (select count(*) as messages from {{ to }}) as refused
cross join (select count(*) as messages from {{ model }}) as accepted
where refused.messages > (1 - {{ threshold }}) * (refused.messages + accepted.messages)
{% endtest %}
