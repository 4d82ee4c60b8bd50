--[[
  Releases pieces of a campaign that is called off, whatever the lane's limits: nothing of them will be sent. As any
  released piece they are on lease until they are done.

  KEYS[1]  lanes that have something to do, by the time at which to look at them
  KEYS[2]  the lane's order
  KEYS[3]  the lane's data
  KEYS[4]  the lane's state
  KEYS[5]  webhooks parked, by lane
  KEYS[6]  the lane's leases
  KEYS[7]  the lane's flows that have something here

  ARGV[1]  lane
  ARGV[2]  pieces to release at most
  ARGV[…]  the campaign's flows

  Returns { id, data, id, data, … }.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local room, webhooks, released = tonumber(ARGV[2]), 0, {}
-- The caller reads what is released, and writes it again: with large bodies, few pieces at a time.
local BYTES_MAX = 4 * 1024 * 1024
local bytes = 0
for i = 3, #ARGV do
  local flow = ARGV[i]
  local from, to = '[' .. flow .. '\0', '(' .. flow .. '\1'
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], from, to, 'LIMIT', 0, room)) do
    if bytes >= BYTES_MAX then
      break
    end
    local id = string.match(entry, '([^%z]*)$')
    bytes = bytes + redis.call('HSTRLEN', KEYS[3], id)
    room = room - 1
    webhooks = webhooks + tonumber(string.match(id, 'x(%d+)$'))
    redis.call('ZREM', KEYS[2], entry)
    redis.call('ZADD', KEYS[6], now, id)
    released[#released + 1] = id
    released[#released + 1] = redis.call('HGET', KEYS[3], id)
  end
  if redis.call('ZLEXCOUNT', KEYS[2], from, to) == 0 then
    redis.call('ZREM', KEYS[7], flow)
  end
end
if webhooks > 0 then
  redis.call('HINCRBY', KEYS[4], 'inFlight', webhooks)
  if redis.call('HINCRBY', KEYS[5], ARGV[1], -webhooks) <= 0 then
    redis.call('HDEL', KEYS[5], ARGV[1])
  end
  -- Somebody looks after the leases.
  redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
end
return released
