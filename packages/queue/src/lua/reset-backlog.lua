--[[
  Forgets the backlog's counts where no job waits: whatever they say is an error that somebody left behind.

  KEYS[1]  backlog
  KEYS[2]  BullMQ's list of waiting jobs
  KEYS[3]  BullMQ's prioritized jobs

  Returns 1 where there was something to forget.
]]
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
  return 0
end
return redis.call('DEL', KEYS[1])
