-- Generic test: of all messages, no more were refused than the threshold in the test's meta lets fail. A refused message that
-- `userflow-jobs replay` has landed since is in both tables and counts as accepted.
{% test quarantined(model, to) %}
{%- set meta = config.get('meta', {}) %}
{%- set threshold = meta.threshold if meta is mapping and 'threshold' in meta else 0.99 %}
select refused.messages - accepted.replayed as messages
from (select count(*) as messages from {{ to }}) as refused
cross join (select count(*) as messages, count(_replayed_at) as replayed from {{ model }}) as accepted
where refused.messages - accepted.replayed > (1 - {{ threshold }}) * (refused.messages - accepted.replayed + accepted.messages)
{% endtest %}
