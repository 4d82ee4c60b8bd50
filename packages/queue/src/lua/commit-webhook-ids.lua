--[[
  Notes that the webhooks of these idempotency keys are in the queue.

  KEYS[i]  idempotency keys
  ARGV[i]  id of the webhook

  Returns the number of keys noted. A key that has expired meanwhile stays gone.
]]
local noted = 0
for i, key in ipairs(KEYS) do
  if redis.call('SET', key, ARGV[i], 'XX', 'KEEPTTL') then
    noted = noted + 1
  end
end
return noted
