// The schema of a database as text, for comparison.
import { isSQLite, openPostgres, openSQLite } from './library.mjs';

/** Everything in a PostgreSQL database that somebody made, one thing a line. Columns in their order. */
const POSTGRES = `
  WITH ours AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
  )
  SELECT line FROM (
    SELECT format('schema %I', nspname) AS line, 0 AS place FROM ours
    UNION ALL
    SELECT format('%s %I.%I owner=%s acl=%s options=%s', c.relkind, n.nspname, c.relname, c.relowner::regrole, c.relacl, c.reloptions), 0
      FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
    UNION ALL
    SELECT format('column %I.%I.%I %s null=%s identity=%s generated=%s collation=%s acl=%s default=%s', n.nspname, c.relname, a.attname,
        format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attacl,
        pg_get_expr(d.adbin, d.adrelid)), row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN ours n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT format('constraint %s %I %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid)), 0
      FROM pg_constraint c JOIN ours n ON n.oid = c.connamespace
    UNION ALL
    SELECT pg_get_indexdef(i.indexrelid), 0 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN ours n ON n.oid = c.relnamespace
    UNION ALL
    SELECT pg_get_triggerdef(t.oid), 0 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN ours n ON n.oid = c.relnamespace
      WHERE NOT t.tgisinternal
    UNION ALL
    SELECT pg_get_functiondef(p.oid), 0 FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
    UNION ALL
    SELECT format('view %I.%I %s', schemaname, viewname, definition), 0 FROM pg_views JOIN ours ON nspname = schemaname
    UNION ALL
    SELECT format('type %I.%I %s', n.nspname, t.typname, t.typtype), 0 FROM pg_type t JOIN ours n ON n.oid = t.typnamespace WHERE t.typrelid = 0
    UNION ALL
    SELECT format('rule %s', pg_get_ruledef(r.oid)), 0 FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN ours n ON n.oid = c.relnamespace
    UNION ALL
    SELECT format('extension %s', extname), 0 FROM pg_extension
    UNION ALL
    SELECT format('event trigger %s', evtname), 0 FROM pg_event_trigger
  ) AS lines
  ORDER BY CASE WHEN place > 0 THEN split_part(line, '.', 2) END NULLS FIRST, place, line COLLATE "C"`;

const SQLITE = `
  SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema ORDER BY type, name`;

export async function schemaOf(databaseURL) {
  return (await rows(databaseURL, isSQLite(databaseURL) ? SQLITE : POSTGRES)).map(({ line }) => line).join('\n');
}

/** The rows that a query answers; on a connection of its own. */
export async function rows(databaseURL, sql) {
  if (isSQLite(databaseURL)) {
    const database = openSQLite(databaseURL);
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  }
  const database = openPostgres(databaseURL, { max: 1 });
  try {
    return (await database.query(sql)).rows;
  } finally {
    await database.end();
  }
}

/** Runs statements that answer nothing. */
export async function execute(databaseURL, sql) {
  if (!isSQLite(databaseURL)) return rows(databaseURL, sql);
  const database = openSQLite(databaseURL);
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}
