-- Writes a new record out of the holder's memory, after Redis has lost it.
-- Compares that there is no owner hash.
-- Writes the whole record, with nothing covered by state yet; unlinks lists that
-- the memory has, and gives those that it has not the numbers after the last.
-- KEYS owner. ARGV epoch, token, version, lease in ms, prefix of the lists, first
-- list, how many from there on the memory has whole, how many after these it has
-- not, last index that it has not of the first of those or -1 for all of it, nonce
-- of the tip, how many words of further fields the record has, these, then where it
-- is wanted when each of the lists that it has not was claimed, or nothing where
-- nobody knows: then that is now.
if redis.call('EXISTS', KEYS[1]) == 1 then
  local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token')
  return {'lost', seen[1] or '', seen[2] or ''}
end
local function list(number)
  return ARGV[5] .. string.format('%.0f', number)
end
local first, read, rest = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if read > 1000000 or rest > 1000000 then
  return redis.error_reply('ERR expected at most a million lists, got ' .. read + rest)
end
local times = 12 + tonumber(ARGV[11])
-- Before anything is written: scripts do not roll back, and TIME may be forbidden.
local ends, now = deadline(ARGV[4]), micros()
for at = 0, read - 1 do
  redis.call('UNLINK', list(first + at))
end
local unread = first + read
if redis.call('TYPE', list(unread)).ok == 'list' then
  redis.call('LTRIM', list(unread), 0, ARGV[9])
end
local last = unread + rest - 1
local next = last
for at = 0, rest - 1 do
  if redis.call('TYPE', list(unread + at)).ok == 'list' then
    next = next + 1
    redis.call('RENAMENX', list(unread + at), list(next))
    local time = ARGV[times + at]
    if time then
      redis.call('HSET', KEYS[1], 'time:' .. string.format('%.0f', next), time ~= '' and time or now)
    end
  end
end
local tip = string.format('%.0f', next) .. '-' .. ARGV[10]
for at = 12, times - 1, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'token', ARGV[2],
  'version', ARGV[3], 'tip', tip, 'base', string.format('%.0f', last + 1) .. ':0', 'index', '',
  'deadline', ends)
return {'ok', ARGV[3], tip}
