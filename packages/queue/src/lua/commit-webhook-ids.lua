--[[
  Notes that the webhooks of these idempotency keys are in the queue, if this master has been given them: the command may
  come to another than the one that their jobs were added to.

  KEYS[1..n]        idempotency keys
  KEYS[n+1..n+2m]   in turn, the job of some of the webhooks and their attempt log: one of the two is there from when the
                    job is added
  ARGV[1]           n
  then for each idempotency key two arguments: the webhook's id, and which of the m jobs is its

  Returns the number of keys noted. A key that has expired meanwhile stays gone.
]]
local count, noted, isThere = tonumber(ARGV[1]), 0, {}
for i = 1, count do
  local id, job = ARGV[2 * i], tonumber(ARGV[2 * i + 1])
  if isThere[job] == nil then
    isThere[job] = redis.call('EXISTS', KEYS[count + 2 * job - 1], KEYS[count + 2 * job]) > 0
  end
  if isThere[job] and redis.call('SET', KEYS[i], id, 'XX', 'KEEPTTL') then
    noted = noted + 1
  end
end
return noted
