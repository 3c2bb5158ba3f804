"""The server-side scripts: each is one atomic step on one partition. Loaded on every connection by `Server`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = [
    "ACKNOWLEDGE", "BURY", "BURY_AGAIN", "EVEN_FULL", "JOIN", "LEASE", "PUBLISH", "REPLAYED", "SCRIPTS", "Script",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name EVALSHA knows it by."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


PUBLISH = Script.of("""
-- KEYS: stream, source state, meta hash, catalogue
-- ARGV: expected state ('' = none), new state, seconds to keep it, records, bytes of text, key, entry fields...
local stored = redis.call('GET', KEYS[2]) or ''
if stored ~= ARGV[1] then
  if stored == ARGV[2] then return {0, '', 0} end   -- a repeat of what is stored: the answer was lost
  return {-1, stored, 0}
end
local total = redis.call('HINCRBY', KEYS[3], 'records', ARGV[4])
redis.call('HINCRBY', KEYS[3], 'bytes', ARGV[5])
if total == tonumber(ARGV[4]) then redis.call('SADD', KEYS[4], ARGV[6]) end
local fields = {'total', total}
for i = 7, #ARGV do fields[#fields + 1] = ARGV[i] end
local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return {1, id, total}
""")
"""Append a batch and move its source's state, if the stored state is the expected one."""


ACKNOWLEDGE = Script.of("""#!lua flags=allow-oom
-- KEYS: lease, drain hash, streams...
-- ARGV: owner, group, cursor ('' = unchanged), number of counters, (counter, amount)...,
--       then for each stream: its key, its new position ("<total> <id>"), number of ids, ids...
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'cursor', ARGV[3]) end
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for stream = 3, #KEYS do
  redis.call('HSET', KEYS[2], 'at:' .. ARGV[at], ARGV[at + 1])
  local ids = tonumber(ARGV[at + 2])
  at = at + 3
  for first = at, at + ids - 1, 1000 do
    redis.call('XACK', KEYS[stream], ARGV[2], unpack(ARGV, first, math.min(first + 999, at + ids - 1)))
  end
  at = at + ids
end
return 1
""")
"""Acknowledge entries, add to the counters and keep the cursor, if the lease is still held."""


LEASE = Script.of("""#!lua flags=allow-oom
-- KEYS: lease.  ARGV: owner, owner to replace ('' = nobody), ms to keep it (0 = give it up)
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and held ~= ARGV[2] then return held end
if ARGV[3] == '0' then
  if held == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return ''
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ARGV[1]
""")
"""Take, renew, take over or give up a lease; answers who holds it now."""


EVEN_FULL = Script.of("""#!lua flags=allow-oom
-- KEYS: the command's key.  ARGV: the command, its other arguments
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
""")
"""One small command that must work also when memory is used up: what empties Redis has to write a little first."""


JOIN = Script.of("""#!lua flags=allow-oom
-- KEYS: stream.  ARGV: group, the entry behind which it begins
return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
""")
"""Create a consumer group."""


BURY = Script.of("""#!lua flags=allow-oom
-- KEYS: dead letters, drain hash.  ARGV: letters to keep, about; the letter's fields...
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
local gone = redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
if gone > 0 then redis.call('HINCRBY', KEYS[2], 'dead_lost', gone) end
return gone
""")
"""Keep a dead letter, remove the oldest when there are too many, and count those; answers how many."""


BURY_AGAIN = Script.of("""#!lua flags=allow-oom
-- KEYS: dead letters, progress of the replay.  ARGV: the letter's entry, its new fields...
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HINCRBY', KEYS[2], 'refused', 1) end
return 0
""")
"""Replace a dead letter whose record was sent again and refused again by one with the new reason; answers 0, as none is
lost for it."""


REPLAYED = Script.of("""#!lua flags=allow-oom
-- KEYS: lease, progress of the replay, dead letters
-- ARGV: owner, the replay's id, number of fields, (field, value)..., number of counters, (counter, amount)...,
--       entries of dead letters that the destination has now...
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
local ours = redis.call('HGET', KEYS[2], 'id') == ARGV[2]
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  if ours then redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
local counters = tonumber(ARGV[at])
at = at + 1
for _ = 1, counters do
  if ours then redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
for first = at, #ARGV, 1000 do
  redis.call('XDEL', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return 1
""")
"""Note how far a replay is, and remove the dead letters that it delivered, if the lease is still held."""


SCRIPTS = (PUBLISH, ACKNOWLEDGE, LEASE, EVEN_FULL, JOIN, BURY, BURY_AGAIN, REPLAYED)
