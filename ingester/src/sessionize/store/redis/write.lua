-- Writes rows, each only over one that is not newer, and only if all their partitions are ours.
-- KEYS: owners, then the key of each row. ARGV: number of owners, what each has to be, and then for each row: view, partition, version,
-- event time, milliseconds to live or '', shape (`hash`, `list`, `no hash`, `no list`: the row is gone), number of values and values,
-- number of further values and those: of a hash fields and values, and fields without one; of a hash that is gone its fields, and those
-- of the key; of a list values, and nothing.
-- Returns {done, rows written, rows that were older, rows whose key holds something else}, or {lost|fenced, number of the owner, 0, 0}.
local owners = tonumber(ARGV[1])
for number = 1, owners do
  local owner = redis.call('GET', KEYS[number])
  if owner ~= ARGV[1 + number] then
    return { owner and 'fenced' or 'lost', number, 0, 0 }
  end
end
local written, older, refused = 0, 0, 0
local at = 2 + owners
for number = owners + 1, #KEYS do
  local key = KEYS[number]
  local view, partition, version, time, ttl, shape = unpack(ARGV, at, at + 5)
  local count = tonumber(ARGV[at + 6])
  local first = at + 7
  local more = tonumber(ARGV[first + count])
  local second = first + count + 1
  at = second + more
  local there, its_partition, its_time = what_is_there(key, view)
  local newer = true
  if there and its_partition == partition then
    newer = tonumber(there) <= tonumber(version)
  elseif there then
    -- An entity that moved to another partition has other offsets there.
    newer = tonumber(its_time) <= tonumber(time)
  end
  local kind = redis.call('TYPE', key)['ok']
  if not newer then
    older = older + 1
  elseif shape == 'no hash' or shape == 'no list' then
    remove(key, view, its_partition or partition, string.sub(shape, 4), first, count, second, more)
    written = written + 1
  elseif kind ~= 'none' and kind ~= shape then
    refused = refused + 1
  else
    -- Views that share a hash may live for different times: a write never shortens what another one promised.
    local left = redis.call('PTTL', key)
    if shape == 'list' then
      redis.call('DEL', key)
      spread('RPUSH', key, first, count)
    else
      spread('HSET', key, first, count)
      spread('HDEL', key, second, more)
    end
    local guard = guard_of(key)
    redis.call('HSET', guard, view, version .. ':' .. partition .. ':' .. time)
    if there and its_partition ~= partition then
      redis.call('ZREM', index_of(view, its_partition), key)
    end
    redis.call('ZADD', index_of(view, partition), time, key)
    if ttl == '' then
      redis.call('PERSIST', key)
      redis.call('PERSIST', guard)
    else
      local lives = math.max(left, tonumber(ttl))
      redis.call('PEXPIRE', key, lives)
      redis.call('PEXPIRE', guard, lives)
    end
    written = written + 1
  end
end
return { 'done', written, older, refused }
