-- Sets the backlog aside under a number of its own.
-- Compares epoch, token and tip, and that the queue is a list.
-- Renames the queue, takes its expiry away, writes the tip, and where that is
-- wanted when that was, by the server's clock.
-- What can be refused (rights, a wrong type) comes before the rename: scripts
-- do not roll back. A list that has the number already was set aside by a claim
-- that failed between rename and tip, so it is taken as that claim's.
-- KEYS owner, queue, list. ARGV epoch, token, tip, new tip, then the field for the
-- time where it is wanted.
if seen[4] ~= ARGV[3] then
  return {'moved', seen[3] or '', seen[4] or ''}
end
local now = ARGV[5] and micros()
if redis.call('EXISTS', KEYS[3]) == 0 then
  local kind = redis.call('TYPE', KEYS[2]).ok
  if kind == 'none' then
    return {'empty', seen[3], seen[4]}
  end
  if kind ~= 'list' then
    return redis.error_reply('WRONGTYPE the queue holds a ' .. kind)
  end
  redis.call('PERSIST', KEYS[2])
  redis.call('RENAMENX', KEYS[2], KEYS[3])
end
local length = redis.call('LLEN', KEYS[3])
redis.call('HSET', KEYS[1], 'tip', ARGV[4])
if now then
  redis.call('HSET', KEYS[1], ARGV[5], now)
end
return {'ok', seen[3], ARGV[4], string.format('%.0f', length), now or ''}
