--[[
  Cuts a batch off a lot, if one is full or has waited long enough. The batch is on lease until it is in the queue and
  its webhooks' logs say so (settle-batch.lua): until then its webhooks' data stays here, so that if the caller dies the
  same batch is cut again, under the same id, and so that nobody can put one of them into the lot a second time.

  KEYS[1]  lots, by the time at which to look at them
  KEYS[2]  the lot's order
  KEYS[3]  the lot's data
  KEYS[4]  the lot's state
  KEYS[5]  the lot's batches that are cut: batch id → JSON array of webhook ids
  KEYS[6]  the lot's leases: batch ids by the time of their cut

  ARGV[1]  lot
  ARGV[2]  id for the batch
  ARGV[3]  bytes of webhooks in a batch at most, but for a single webhook
  ARGV[4]  a lease is stale after so many milliseconds
  ARGV[5]  "1": cut what there is, whatever it has waited
  ARGV[6]  webhooks in a batch at most, by the channel as it is now
  ARGV[7]  milliseconds that the first of a batch waits at most

  Returns { milliseconds until the lot is to be looked at again, or -1 where nothing is left in it, head, how many entries
  nobody can read, which are gone }
  and, where a batch was cut, behind it: its id, then for each webhook its id and the webhook.
]]
local lot, bytesMax, stale = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[4], 'head', 'bytes')
local size, maxWait, bytes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(state[2] or '0')
local unreadable = 0
if state[2] and not string.match(state[2], '^-?%d+$') then
  redis.call('HSET', KEYS[4], 'bytes', 0)
  bytes, unreadable = 0, 1
end

-- The webhooks of the batch, and as many as fit: ids and data in turn.
local function withData(ids)
  local flat, data = {}, redis.call('HMGET', KEYS[3], unpack(ids))
  local sum = 0
  for i, id in ipairs(ids) do
    local webhook = data[i] or ''
    if i > 1 and sum + #webhook > bytesMax then
      break
    end
    sum = sum + #webhook
    flat[#flat + 1] = id
    flat[#flat + 1] = webhook
  end
  return flat, sum
end

-- The time of its arrival, and the webhook's id; nil for what is no entry.
local function readEntry(entry)
  local arrival, id = string.match(entry, '^(%d+) (wh_.+)$')
  return tonumber(arrival), id
end

local function firstDueIn()
  local first = redis.call('LINDEX', KEYS[2], 0)
  while first and not readEntry(first) do
    redis.call('LPOP', KEYS[2])
    unreadable = unreadable + 1
    first = redis.call('LINDEX', KEYS[2], 0)
  end
  return first and math.max(0, readEntry(first) + maxWait - now)
end

-- The ids of a batch that was cut; nil if nobody can read them.
local function readCut(id)
  local isJson, ids = pcall(cjson.decode, redis.call('HGET', KEYS[5], id) or '')
  if not isJson or type(ids) ~= 'table' or #ids == 0 then
    return nil
  end
  for _, one in ipairs(ids) do
    if type(one) ~= 'string' then
      return nil
    end
  end
  return ids
end

local reply, batch = { 0, state[1] or '', 0 }, nil
local lost = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - stale, 'LIMIT', 0, 1)[1]
local lostIds = lost and readCut(lost)
if lost and not lostIds then
  redis.call('ZREM', KEYS[6], lost)
  redis.call('HDEL', KEYS[5], lost)
  unreadable = unreadable + 1
end
if lostIds then
  batch = withData(lostIds)
  redis.call('ZADD', KEYS[6], now, lost)
  reply[4] = lost
else
  local dueIn = firstDueIn()
  local waiting = redis.call('LLEN', KEYS[2])
  if waiting > 0 and (waiting >= size or bytes >= bytesMax or dueIn == 0 or ARGV[5] == '1') then
    local ids = {}
    for i, entry in ipairs(redis.call('LRANGE', KEYS[2], 0, size - 1)) do
      local _, id = readEntry(entry)
      -- It is looked at again when it is the first.
      if not id then
        break
      end
      ids[i] = id
    end
    local taken
    batch, taken = withData(ids)
    local count = #batch / 2
    redis.call('LTRIM', KEYS[2], count, -1)
    redis.call('HINCRBY', KEYS[4], 'bytes', -taken)
    local members = {}
    for i = 1, count do
      members[i] = ids[i]
    end
    redis.call('HSET', KEYS[5], ARGV[2], cjson.encode(members))
    redis.call('ZADD', KEYS[6], now, ARGV[2])
    reply[4] = ARGV[2]
  end
end

-- The next look: when the first of the rest has waited long enough, or a lease may be stale.
local nextIn = firstDueIn() or -1
local lease = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')[2]
local lookIn = lease and math.max(0, lease + stale - now)
if nextIn ~= -1 and (not lookIn or nextIn < lookIn) then
  lookIn = nextIn
end
if lookIn then
  redis.call('ZADD', KEYS[1], now + lookIn, lot)
else
  redis.call('ZREM', KEYS[1], lot)
  redis.call('DEL', KEYS[4])
end
reply[1], reply[3] = nextIn, unreadable
for _, part in ipairs(batch or {}) do
  reply[#reply + 1] = part
end
return reply
