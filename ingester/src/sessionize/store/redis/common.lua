-- What the scripts share. Keys of userflow's own:
--   userflow:owner:<topic>:<partition>   who may write rows of a partition: <lineage>@<epoch>
--   userflow:guard:<key>                 hash, beside each key of a reader: by view, <version>:<partition>:<event time> of what is there
--   userflow:index:<view>:<partition>    sorted set: the keys with rows of a view, by the time of their newest event

local function guard_of(key)
  return 'userflow:guard:' .. key
end

local function index_of(view, partition)
  return 'userflow:index:' .. view .. ':' .. partition
end

-- Calls a command with ARGV[from] and the count - 1 values after it, a thousand at a time: the stack of Lua is small.
local function spread(command, key, from, count)
  for first = from, from + count - 1, 1000 do
    redis.call(command, key, unpack(ARGV, first, math.min(first + 999, from + count - 1)))
  end
end

-- What is there of a view: version, partition, event time; nothing if nothing is.
local function what_is_there(key, view)
  local there = redis.call('HGET', guard_of(key), view)
  if there then
    return string.match(there, '^(%-?%d+):(%-?%d+):(%-?%d+)$')
  end
end

-- Removes what a view has under a key: a list, or the fields at ARGV[from]. With the last view the key's own fields go, at ARGV[own].
local function remove(key, view, partition, shape, from, count, own, owns)
  if shape == 'list' then
    redis.call('DEL', key)
  else
    spread('HDEL', key, from, count)
  end
  redis.call('HDEL', guard_of(key), view)
  redis.call('ZREM', index_of(view, partition), key)
  if shape == 'hash' and redis.call('EXISTS', guard_of(key)) == 0 then
    spread('HDEL', key, own, owns)
  end
end

