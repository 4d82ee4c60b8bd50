--[[
  Ends the leases of pieces whose webhooks are all recorded.

  KEYS[1]  the lane's leases
  KEYS[2]  the lane's data
  KEYS[3]  the lane's state
  ARGV[i]  ids of the pieces

  Returns the webhooks that are in flight after that.
]]
local webhooks = 0
for _, id in ipairs(ARGV) do
  redis.call('HDEL', KEYS[2], id)
  if redis.call('ZREM', KEYS[1], id) == 1 then
    webhooks = webhooks + tonumber(string.match(id, 'x(%d+)$'))
  end
end
if webhooks == 0 then
  return tonumber(redis.call('HGET', KEYS[3], 'inFlight') or '0')
end
return redis.call('HINCRBY', KEYS[3], 'inFlight', -webhooks)
