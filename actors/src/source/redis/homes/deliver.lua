-- At a home: puts deltas of one lane on its queue, and moves the place with them.
-- Compares epoch, token and place, as one text; that the queue is a list.
-- Pushes the frames, writes the place. What can be refused comes first: scripts do
-- not roll back. At `maxmemory` it is refused: the frames wait where they are.
-- KEYS sources, queue. ARGV field, what it says now, what it says then, frames.
local seen = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if seen ~= ARGV[2] then
  return {'other', seen}
end
local kind = redis.call('TYPE', KEYS[2]).ok
if kind ~= 'list' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE the queue holds a ' .. kind)
end
-- `unpack` has a limit.
for at = 4, #ARGV, 1000 do
  redis.call('LPUSH', KEYS[2], unpack(ARGV, at, math.min(at + 999, #ARGV)))
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return {'ok'}
