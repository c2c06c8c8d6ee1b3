/** Runs every SQL statement of the documents on a database that has rows for each: none may find nothing. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { pages, read, root } from './support/documents.ts'

const somebody = "x'0198a0000000700080000000000000aa'"
const somebodyElse = "x'0198a0000000700080000000000000bb'"
/** An id of today, and one of a time before all the moments in the documents. */
const [young, old] = ["unhex(printf('%012x', unixepoch() * 1000) || '70008000000000000000')", somebody]

/** What a document leaves to its reader. */
const fillings: [RegExp, string][] = [
  [/x'…'/g, somebody],
  [/\brole = …/g, 'role = 2'],
]

const rows = `
  INSERT INTO users (id, email, password_hash, role, status, updated_at) VALUES
    (${somebody}, 'ada@example.com', CAST(x'0000000000' || char(3) || 'OLD' || x'ff' AS BLOB), 2, 1, 1),
    (${somebodyElse}, 'bob@example.com', x'ff', 0, 1, 1);
  UPDATE users SET factors_id = ${old} WHERE id = ${somebody};
  INSERT INTO passkeys VALUES
    (${old}, ${somebody}, x'ff', x'ff', -7, 'example.com', 0, 1, 1, '[]', ${old}, 'Passkey', 'k.mac', '[]', NULL);
  INSERT INTO totps VALUES (${somebody}, 'k.iv.seed', 1, 1, NULL);
  INSERT INTO recovery_codes VALUES (${somebody}, 'k.mac');
  INSERT INTO email_changes (user_id, link_id, new_email, old_email, expires_at, revert_until)
        VALUES (${somebody}, ${old}, 'new@example.com', 'ada@example.com', 1, 1);
  INSERT INTO registrations (id, email, password_hash)
    VALUES (${old}, 'ada@example.com', CAST(x'0000000000' || char(3) || 'OLD' || x'ff' AS BLOB));
  INSERT INTO sessions (id, user_id, device_id, generation, last_used_at, expires_at)
    VALUES (${old}, ${somebody}, ${old}, 1, 1, 1);
  INSERT INTO one_time_links (id, purpose, user_id, created_at, expires_at) VALUES (${old}, 2, ${somebody}, 1, 1);
  INSERT INTO emails (id, template, recipient, budget, params, status, attempts, due_at, announce_at) VALUES
    (${old}, 'x', 'ada@example.com', 'x', '{}', 0, 0, 1, 1),
    (${young}, 'x', 'ada@example.com', 'x', '{}', 4, 0, 1, 1);
  INSERT INTO audit_events (id, type, user_id, by_user, actor_id) VALUES
    (${old}, 13, ${somebodyElse}, 0, ${somebody}),
    (${young}, 11, ${somebody}, 1, NULL),
    (${young.replace(/00'/, "01'")}, 33, ${somebody}, 0, NULL),
    (${somebodyElse}, 11, ${somebodyElse}, 1, NULL);
  INSERT INTO audit_seals (number, hour, first, kid, digest) VALUES (1, 1, 1, 'k', 'x')`

function populated(): DatabaseSync {
  // Each statement is tried alone, also one that a document has run after another.
  const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: false })
  for (const path of globSync('migrations/*.sql', { cwd: root }).toSorted()) {
    database.exec(readFileSync(join(root, path), 'utf8'))
  }
  database.exec(rows)
  return database
}

interface Statement {
  page: string
  sql: string
}

/** In inline code, in quoted arguments of a command, and in blocks of SQL. Metrics have a dialect of their own. */
function statementsOf(page: string): Statement[] {
  const fences = /^( *)```(\w*)\n(.*?)^\1```/gms
  const text = read(page)
  const blocks = Array.from(text.matchAll(fences), ([, , language = '', code = '']) => ({ language, code }))
  const inline = Array.from(text.replaceAll(fences, '').matchAll(/`([^`]+)`/g), ([, code = '']) => code)
  return [
    ...blocks.filter(({ language }) => language === 'sql').map(({ code }) => code),
    ...[...inline, ...blocks.map(({ code }) => code)].flatMap((code) => code.match(/(?<=")[^"]*(?=")/g) ?? []),
    ...inline,
  ]
    .flatMap((code) => code.split(';'))
    .map((code) => code.replaceAll(/--.*$/gm, '').replaceAll(/\s+/g, ' ').trim())
    .filter(
      (code) =>
        /^(?:SELECT .|UPDATE \w+ SET |DELETE FROM |INSERT INTO |WITH \w+ AS )/i.test(code) &&
        !/ FROM postern\b/.test(code),
    )
    .map((sql) => ({ page, sql: fillings.reduce((filled, [gap, value]) => filled.replaceAll(gap, value), sql) }))
}

// A decision tells what was thought at its time.
const statements = pages.filter((page) => !page.startsWith('docs/decisions/')).flatMap(statementsOf)

test('every SQL statement of a document finds rows', () => {
  assert.ok(statements.length > 15, String(statements.length))
  for (const { page, sql } of statements) {
    const where = `${page}: ${sql}`
    const database = populated()
    assert.doesNotThrow(() => database.prepare(sql), where)
    if (!/^(?:SELECT|WITH)/i.test(sql)) {
      assert.ok(Number(database.prepare(sql).run().changes) > 0, where)
      continue
    }
    const found = database.prepare(sql).all()
    assert.ok(found.length > 0, where)
    // A count is a row even when it is 0.
    for (const row of found) assert.ok(!Object.values(row).every((value) => value === 0 || value === null), where)
    if (/\bwhere\b.*\bactor_id\b/i.test(sql)) assert.equal(found.length, 2, `acts on others and on oneself: ${where}`)
  }
})

test('no SQL of a document compares bytes or a number with a text', () => {
  const database = populated()
  const columns = database
    .prepare(
      `SELECT columns.name, group_concat(DISTINCT columns.type) AS types
       FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' GROUP BY columns.name`,
    )
    .all()
  const names = columns.filter(({ types }) => !/TEXT/.test(String(types))).map(({ name }) => String(name))
  assert.ok(names.includes('actor_id') && names.includes('role') && !names.includes('email'))
  // `x'…'` is bytes: its quotation mark follows a letter.
  const compared = new RegExp(
    String.raw`\b(?:${names.join('|')})"?\s*(?:=|==|<>|!=|[<>]=?|\bIS(?: NOT)?|\b(?:NOT )?(?:IN|LIKE))\s*\(?\s*'` +
      String.raw`|(?<!\w)'[^']*'\s*(?:=|<>|!=|[<>]=?)\s*(?:${names.join('|')})\b`,
    'i',
  )
  for (const wrong of ["role = 'ADMIN'", "actor_id IN ('x')", "status IN('a')", "'ADMIN' = role", "id <> 'x'"]) {
    assert.match(wrong, compared)
  }
  for (const right of ["id = x'00'", "email = 'x'", 'role = 2', "id >= unhex('00')"])
    assert.doesNotMatch(right, compared)
  const wrong = pages.flatMap((page) => (read(page).match(new RegExp(compared, 'gi')) ?? []).map((sql) => [page, sql]))
  assert.deepEqual(wrong, [])
})

test('whoever reads `actor_id` in SQL reads `by_user` with it', () => {
  const half = statements.filter(({ sql }) => /\bactor_id\b/.test(sql) && !/\bby_user\b/.test(sql))
  assert.deepEqual(half, [])
})
