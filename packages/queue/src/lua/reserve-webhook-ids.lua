--[[
  Gives each idempotency key the id of its webhook, once.

  A key's value is "?<id>" while the webhook may not be in the queue yet, and "<id>" once it is (commit-webhook-ids).
  A caller that finds "?<id>" doesn't know whether the call before it died or is still running: it enqueues the
  webhook again under the same id, marked as one that workers must claim.

  KEYS[i]    idempotency keys
  ARGV[1]    lifetime in milliseconds
  ARGV[1+i]  id proposed for KEYS[i]

  Returns an array: "" where the proposed id was taken, else the value found.
]]
local found = {}
for i, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if value then
    found[i] = value
  else
    redis.call('SET', key, '?' .. ARGV[1 + i], 'PX', ARGV[1])
    found[i] = ''
  end
end
return found
