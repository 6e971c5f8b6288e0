#!lua flags=allow-oom
-- Begins the record anew out of the holder's memory, after Redis has lost it.
-- Compares that there is no owner hash.
-- Writes the whole record, with nothing covered by state yet; unlinks lists that
-- the memory has, and gives those that it has not the numbers behind the last.
-- KEYS owner. ARGV epoch, token, version, lease in ms, prefix of the lists, first
-- list that the memory has, first that it has not or not whole, last index that it
-- has not of that one or -1 for all of it, last number used, nonce of the tip.
if redis.call('EXISTS', KEYS[1]) == 1 then
  local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token')
  return {'lost', seen[1] or '', seen[2] or ''}
end
local function list(number)
  return ARGV[5] .. string.format('%.0f', number)
end
local unread, last = tonumber(ARGV[7]), tonumber(ARGV[9])
for number = tonumber(ARGV[6]), unread - 1 do
  redis.call('UNLINK', list(number))
end
if redis.call('TYPE', list(unread)).ok == 'list' then
  redis.call('LTRIM', list(unread), 0, ARGV[8])
end
local next = last
for number = unread, last do
  if redis.call('TYPE', list(number)).ok == 'list' then
    next = next + 1
    redis.call('RENAMENX', list(number), list(next))
  end
end
local tip = string.format('%.0f', next) .. '-' .. ARGV[10]
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('HSET', KEYS[1], 'format', '1', 'epoch', ARGV[1], 'token', ARGV[2],
  'version', ARGV[3], 'tip', tip, 'base', string.format('%.0f', last + 1) .. ':0', 'index', '',
  'deadline', string.format('%.0f', deadline))
return {'ok', ARGV[3], tip}
