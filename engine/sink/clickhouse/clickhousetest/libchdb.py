#!/usr/bin/env python3
"""Serves libchdb, the engine of a newer ClickHouse as a library, over HTTP like a server:
serve.py LIBRARY DIRECTORY PORT"""
import ctypes, gzip, http.server, re, sys, threading, urllib.parse
lib = ctypes.CDLL(sys.argv[1])
lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
lib.chdb_connect.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
lib.chdb_query_n.restype = ctypes.c_void_p
lib.chdb_query_n.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
for f, r in (("chdb_result_buffer", ctypes.c_void_p), ("chdb_result_length", ctypes.c_size_t), ("chdb_result_error", ctypes.c_char_p), ("chdb_destroy_query_result", None)):
    getattr(lib, f).restype = r
    getattr(lib, f).argtypes = [ctypes.c_void_p]
args = [b"clickhouse", b"--path=" + sys.argv[2].encode()]
conn = lib.chdb_connect(len(args), (ctypes.c_char_p * len(args))(*args))
lock = threading.Lock()
def query(q):
    with lock:
        r = lib.chdb_query_n(conn[0], q, len(q), b"TabSeparated", 12)
        err = lib.chdb_result_error(r)
        n = lib.chdb_result_length(r)
        out = ctypes.string_at(lib.chdb_result_buffer(r), n) if n else b""
        lib.chdb_destroy_query_result(r)
        return out, err
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            out = b""
            while n := int(self.rfile.readline(), 16):
                out += self.rfile.read(n); self.rfile.readline()
            self.rfile.readline()
        else:
            out = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip": out = gzip.decompress(out)
        elif self.headers.get("Content-Encoding"): return None
        return out
    def do_GET(self): self.do_POST()
    def do_POST(self):
        u = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        body = self.body()
        if body is None:
            out, err = b"", b"Code: 89. DB::Exception: Unknown compression method"
        else:
            q = u.pop("query", [""])[0].encode()
            db = u.pop("database", ["default"])[0]
            for own in ("query_id", "wait_end_of_query"): u.pop(own, 0)
            out, err = query(b"USE `" + db.encode() + b"`")
            if not err:
                settings = ", ".join(f"{k} = '{v[0]}'" for k, v in u.items())
                m = re.search(rb"\sFORMAT\s+JSONEachRow\s*$", q)
                if q.lstrip().upper().startswith(b"INSERT") and m:
                    q = q[:m.start()] + (b" SETTINGS " + settings.encode() if settings else b"") + b" FORMAT JSONEachRow\n" + body
                else:
                    q = (q + b"\n" + body if q else body)
                    if settings and re.match(rb"\s*SELECT", q, re.I):
                        q = q.rstrip().rstrip(b";")
                        m = re.search(rb"\sFORMAT\s+\w+\s*$", q)
                        tail = q[m.start():] if m else b""
                        q = (q[:m.start()] if m else q) + b" SETTINGS " + settings.encode() + tail
                out, err = query(q)
        m = re.match(rb"Code: (\d+)", err or b"")
        self.send_response(500 if err else 200)
        if m: self.send_header("X-ClickHouse-Exception-Code", m[1].decode())
        out = err or out
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), H).serve_forever()
