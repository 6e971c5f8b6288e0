-- At a home: fences earlier owners of a partition off, puts its places right, and
-- tells them as they were and as they are.
-- Compares that no place was written under a higher epoch, or under the same one by
-- another token.
-- Writes epoch, token and place of each lane of the partition. Runs at `maxmemory`
-- too: a number takes the place of another.
-- KEYS sources. ARGV partition, epoch, token, the line's epoch, the line's place,
-- then for each lane: the least place that can still be sent from, and the place that
-- the caller knows, or nothing where it knows none.
local epoch, lanes = tonumber(ARGV[2]), {}
for at = 6, #ARGV, 2 do
  local field = ARGV[1] .. ':' .. string.format('%.0f', (at - 6) / 2)
  local was_epoch, was_token, was = '', '', ''
  local seen = redis.call('HGET', KEYS[1], field)
  if seen then
    was_epoch, was_token, was = string.match(seen, '^(%d+) (%S+) (%d+)$')
    if not was_epoch then
      return redis.error_reply('ERR ' .. KEYS[1] .. ' holds no place under ' .. field)
    end
    if tonumber(was_epoch) > epoch or (tonumber(was_epoch) == epoch and was_token ~= ARGV[3]) then
      return {'newer', was_epoch}
    end
  end
  local place = tonumber(was) or tonumber(ARGV[at + 1]) or tonumber(ARGV[at])
  if was ~= '' and tonumber(was_epoch) < tonumber(ARGV[4]) then
    place = math.min(place, tonumber(ARGV[5]))
  end
  place = string.format('%.0f', math.max(place, tonumber(ARGV[at])))
  lanes[#lanes + 1] = {field, was, place}
end
local reply = {'ok'}
for _, lane in ipairs(lanes) do
  redis.call('HSET', KEYS[1], lane[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. lane[3])
  reply[#reply + 1] = lane[2]
  reply[#reply + 1] = lane[3]
end
return reply
