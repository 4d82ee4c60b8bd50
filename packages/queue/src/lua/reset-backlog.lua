--[[
  Forgets counts of webhooks where there is no job that could hold them: whatever they say is an error that somebody left
  behind.

  KEYS[1]  backlog: of what is in the queue
  KEYS[2]  counts of webhooks that wait for a time of their own (due-later.ts)
  KEYS[3]  BullMQ's list of waiting jobs
  KEYS[4]  BullMQ's prioritized jobs
  KEYS[5]  BullMQ's list of active jobs
  KEYS[6]  BullMQ's delayed jobs

  Returns how many of the two there were to forget.
]]
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then
  return 0
end
local forgotten = redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[5], KEYS[6]) == 0 then
  forgotten = forgotten + redis.call('DEL', KEYS[2])
end
return forgotten
