#!/usr/bin/python3
"""The user service: Flask, with its users in PostgreSQL. `service.py NAME ADDRESS PORT_OF_POSTGRESQL`"""

import contextlib
import logging
import sys
import uuid

import psycopg2
from flask import Flask, jsonify, request
from werkzeug.security import generate_password_hash

NAME, ADDRESS, DATABASE_PORT = sys.argv[1:]
USERS = """
CREATE TABLE IF NOT EXISTS users (
  name TEXT PRIMARY KEY,
  uuid TEXT NOT NULL,
  fullname TEXT NOT NULL,
  password TEXT NOT NULL
)"""
app = Flask(__name__)


@contextlib.contextmanager
def database():
    """A transaction."""
    connection = psycopg2.connect(host="127.0.0.1", port=DATABASE_PORT, user="usersvc", dbname="postgres")
    with contextlib.closing(connection), connection, connection.cursor() as cursor:
        yield cursor


def answer(status=200, **fields):
    """Who answers is always said."""
    return jsonify(ok=status < 400, hostname=NAME, resolvedname=ADDRESS, **fields), status


@app.get("/")
@app.get("/user/health")
def health():
    with database() as users:
        users.execute("SELECT 1")
    return answer(msg="user health check OK")


@app.get("/user/<name>")
def show(name):
    with database() as users:
        users.execute("SELECT uuid, fullname FROM users WHERE name = %s", (name,))
        found = users.fetchone()
    if not found:
        return answer(404, msg=f"there is no user {name}")
    return answer(uuid=found[0], fullname=found[1])


@app.put("/user/<name>")
def store(name):
    given = request.get_json(silent=True)
    if not isinstance(given, dict) or not all(isinstance(given.get(key), str) for key in ("fullname", "password")):
        return answer(400, msg="fullname and password are needed, as JSON")
    row = (name, uuid.uuid4().hex.upper(), given["fullname"], generate_password_hash(given["password"]))
    with database() as users:
        users.execute(
            "INSERT INTO users VALUES (%s, %s, %s, %s) ON CONFLICT (name) DO UPDATE"
            " SET fullname = excluded.fullname, password = excluded.password RETURNING uuid",
            row,
        )
        number = users.fetchone()[0]
    return answer(uuid=number, fullname=given["fullname"])


with database() as setup:
    setup.execute(USERS)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app.run(host=ADDRESS, port=5000, threaded=True)
