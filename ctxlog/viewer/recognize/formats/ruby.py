"""
Formats of the loggers of Ruby.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format

FORMATS = (
    Format(
        "lograge",
        '{"method":"POST","path":"/orders","format":"json",'
        '"controller":"OrdersController","action":"create","status":503,'
        '"duration":41.0,"view":0.0,"db":12.3,'
        '"@timestamp":"2026-01-31T12:00:00.123Z","@version":"1",'
        '"message":"[503] POST /orders (OrdersController#create)",'
        '"request_id":"7f3a91c2"}',
        known_by="controller action duration",
        unit=0.001,
    ),
    Format(
        "Rails 8.1, events",
        '{"name":"payment.refused","payload":{"order":"o-7"},"tags":{},'
        '"context":{"request_id":"7f3a91c2"},"timestamp":1769860800123000000,'
        '"source_location":{"filepath":"app/models/payment.rb","lineno":9,'
        '"label":"Payment#charge"}}',
        known_by="name payload timestamp source_location",
        found={"message": "name"},
        unit=0.001,
    ),
    Format(
        "semantic_logger",
        '{"host":"shop-1","application":"shop","environment":"production",'
        '"timestamp":"2026-01-31T12:00:00.123000Z","level":"error","level_index":4,'
        '"pid":71,"thread":"puma 001","duration_ms":41.0,"duration":"41.0ms",'
        '"named_tags":{"request_id":"7f3a91c2"},"name":"OrdersController",'
        '"message":"Completed #create","payload":{"method":"POST","path":"/orders",'
        '"status":503}}',
    ),
    Format(
        "ougai",
        '{"name":"shop","hostname":"shop-1","pid":71,"level":50,'
        '"time":"2026-01-31T12:00:00.123Z","v":0,"msg":"payment refused",'
        '"request_id":"7f3a91c2"}',
    ),
)
