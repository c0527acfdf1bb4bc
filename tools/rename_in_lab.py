"""Gives the objects of an OpenStack lab other ids: ``LAB=... python tools/rename_in_lab.py PLAN.json [rows]``.

PLAN.json is by tools/later_openstack.py. It has ``texts``, a map of text to text, which are exchanged wherever the
databases hold them, all at once, so that two may change places; and ``statements``: database, SQL and its values. The
services have to be restarted afterwards, which touches rows; ``rows`` repeats the statements alone. It needs pymysql,
which the lab's own Python has.
"""

import json
import os
import re
import sys
from pathlib import Path

import pymysql  # type: ignore[import-untyped]

DATABASES = ("cinder", "glance", "keystone", "neutron", "nova_api", "nova_cell0", "nova_cell1", "octavia", "placement")  # fmt: skip


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    names = plan["texts"]
    whole = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "(?!)"
    pattern = re.compile(rf"(?<![0-9a-f.:])(?:{whole})(?![0-9a-f.:])")

    def renamed(value):
        if isinstance(value, bytes):
            return renamed(value.decode("latin-1")).encode("latin-1")
        if isinstance(value, str):
            return pattern.sub(lambda found: names[found[0]], value)
        return value

    socket = os.path.join(os.environ["LAB"], "run", "mariadb.sock")
    only_rows = sys.argv[2:] == ["rows"]
    for name in DATABASES:
        connection = pymysql.connect(unix_socket=socket, user="root", database=name, charset="utf8mb4")  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
            for table, _ in () if only_rows else cursor.fetchall():
                rename_in(cursor, table, renamed)
            for database, statement, values in plan["statements"]:
                if database == name:
                    cursor.execute(statement, values)
            connection.commit()


def rename_in(cursor, table, renamed):
    cursor.execute(f"SHOW COLUMNS FROM `{table}`")
    columns = [each[0] for each in cursor.fetchall() if "GENERATED" not in each[5].upper()]
    listed = ", ".join(f"`{column}`" for column in columns)
    cursor.execute(f"SELECT {listed} FROM `{table}`")  # noqa: S608 - names of its own
    rows = cursor.fetchall()
    after = [tuple(map(renamed, row)) for row in rows]
    if after != list(rows):
        cursor.execute(f"DELETE FROM `{table}`")  # noqa: S608 - names of its own
        holes = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO `{table}` ({listed}) VALUES ({holes})", after)  # noqa: S608 - names of its own
        changed = sum(one != other for one, other in zip(rows, after))
        print(f"{table}: {changed} of {len(rows)} rows")


if __name__ == "__main__":
    main()
