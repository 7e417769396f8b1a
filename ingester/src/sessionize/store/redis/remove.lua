-- Removes what a view has under some keys, if the partition is ours.
-- KEYS: the owner, then the keys. ARGV: what the owner has to be, view, partition, event time before which rows go or '', shape, number of
-- fields and fields, number of the key's fields and those. Returns {done, rows removed} or {lost|fenced, 0}.
local owner = redis.call('GET', KEYS[1])
if owner ~= ARGV[1] then
  return { owner and 'fenced' or 'lost', 0 }
end
local view, partition, before, shape = unpack(ARGV, 2, 5)
local count = tonumber(ARGV[6])
local own = 7 + count + 1
local owns = tonumber(ARGV[own - 1])
local removed = 0
for number = 2, #KEYS do
  local key = KEYS[number]
  local _, its_partition, its_time = what_is_there(key, view)
  if its_partition and its_partition ~= partition then
    -- The entity moved; its row is another partition's.
    redis.call('ZREM', index_of(view, partition), key)
  elseif before == '' or not its_time or tonumber(its_time) < tonumber(before) then
    remove(key, view, partition, shape, 7, count, own, owns)
    removed = removed + 1
  end
end
return { 'done', removed }
