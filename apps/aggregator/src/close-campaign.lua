--[[
  Takes a campaign out of those with messages pending, and says so, in one step: of several aggregators that see its last
  message end, one says it, and none that dies in between keeps it from being said.

  KEYS[1]  campaigns with messages pending
  KEYS[2]  the fleet's events
  ARGV[1]  campaign
  ARGV[2]  the event, as JSON
  ARGV[3]  events kept, about

  Returns 1 where the campaign was open.
]]
local closed = redis.call('SREM', KEYS[1], ARGV[1])
if closed == 1 then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'event', ARGV[2])
end
return closed
