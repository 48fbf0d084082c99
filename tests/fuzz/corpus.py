"""Inputs that were or could be trouble, kept for good."""

from collections.abc import Iterator

from tests.fuzz.mutation import NASTY_CELLS, NASTY_JSON, NASTY_SCALARS, NASTY_TOML

_PACK = b"""\
pack: own
title: Our own
extends: microsoft-csp
choose: {end_of_term: est}
figures:
  grace:
    unit: days
    rule: SUB-04
    spans:
      - {to: 2025-01-01, value: 30, source: P40}
      - {from: 2025-01-01, value: 10, note: shorter}
  extended_uplift:
    unit: percent
    rule: TRM-36
    spans: [{value: 3.5}]
regions:
  united-states: [{countries: "US UM", source: P40}, {from: 2023-10-12, countries: "AS GU"}]
"""
PACKS = (_PACK,)
_ACTIVITY = b"""\
Date-Time,Affected customer,Action,Partner user,Resource type,fact,subscription,event_id
2024-12-01T09:00:00Z,tailspin,update_subscription,amy,subscription,seats-added,s1,e1
2024-12-01T10:00:00Z,tailspin,update_subscription,,subscription,"subscription-renewed",s1,e2
"""
_ORDERS = b"""\
Date-Time,Affected customer,Action,Resource type,id,transaction,subscription,sku,quantity,term
2024-12-01T09:00:00Z,tailspin,create_order,order,o1,new,s1,E3,30,P1Y
2024-12-01T10:00:00Z,tailspin,update_order,order,o2,addQuantity,s1,E3,5,P1Y
"""
SHEETS = (_ACTIVITY, _ORDERS)
RESOURCE = b"""\
{
 "id": "3a9d51c4-7e02-4b6f-8f1e-5c20d7ab9911",
 "offerId": "CFQ7TTC0XYZ1:0002:CFQ7TTC0XYZ2",
 "productType": {
  "id": "OnlineServicesNCE"
 },
 "quantity": 30,
 "creationDate": "2024-10-01T02:35:00Z",
 "effectiveStartDate": "2024-10-01T00:00:00Z",
 "commitmentEndDate": "2025-09-30T00:00:00Z",
 "cancellationAllowedUntilDate": "2024-10-08T02:35:00Z",
 "refundableQuantity": {
  "totalQuantity": 1,
  "details": [
   {
    "quantity": 1,
    "allowedUntilDateTime": "2024-10-08T02:35:00Z"
   }
  ]
 },
 "scheduledNextTermInstructions": {
  "product": {
   "productId": "A",
   "skuId": "1",
   "availabilityId": "B",
   "billingCycle": "annual",
   "termDuration": "P1Y"
  },
  "quantity": 5,
  "customTermEndDate": null
 },
 "status": "active",
 "autoRenewEnabled": true,
 "isTrial": false,
 "suspensionReasons": [],
 "billingCycle": "monthly",
 "termDuration": "P1Y"
}
"""
_RECORDS = b"""\
[
 {
  "id": "o1",
  "referenceCustomerId": "tailspin",
  "creationDate": "2024-12-01T09:00:00Z",
  "billingCycle": "monthly",
  "status": "completed",
  "lineItems": [
   {
    "lineItemNumber": 0,
    "subscriptionId": "s1",
    "offerId": "A:1:B",
    "quantity": 5,
    "termDuration": "P1Y",
    "transactionType": "New"
   },
   {
    "lineItemNumber": 1,
    "subscriptionId": "s2",
    "offerId": "A:1:B",
    "quantity": 2,
    "termDuration": "P1M",
    "transactionType": "addQuantity"
   }
  ]
 },
 {
  "id": "m1",
  "status": "Completed",
  "customerTenantId": "tailspin",
  "currentSubscriptionId": "s1",
  "newCommerceSubscriptionId": "s3",
  "catalogItemId": "A:1:B",
  "quantity": 5,
  "termDuration": "P1Y",
  "billingCycle": "Monthly",
  "purchaseFullTerm": true,
  "startedTime": "2024-12-01T09:00:00Z",
  "completedTime": "2024-12-02T09:00:00Z",
  "addOnMigrations": []
 },
 {
  "id": "m2",
  "status": "Created",
  "customerTenantId": "tailspin",
  "currentSubscriptionId": "s1",
  "targetDate": "2025-01-01T00:00:00Z",
  "migrateOnRenewal": false,
  "createdTime": "2024-12-01T09:00:00Z"
 },
 {
  "id": "e1",
  "newCommerceMigrationId": "m1",
  "currentSubscriptionId": "s1",
  "createdTime": "2024-12-01T09:00:00Z",
  "eventName": "MigrationCompleted"
 },
 {
  "partnerId": "contoso",
  "customerId": "tailspin",
  "resourceType": "subscription",
  "resourceNewValue": "{\\"quantity\\": 5}",
  "resourceOldValue": "{\\"quantity\\": 3}",
  "operationType": "update_subscription",
  "operationDate": "2024-12-01T09:00:00Z",
  "operationStatus": "succeeded",
  "customizedData": [
   {
    "key": "SubscriptionId",
    "value": "s1"
   }
  ]
 },
 {
  "EventName": "subscription-updated",
  "ResourceUri": "http://api/customers/tailspin/subscriptions/s1",
  "ResourceName": "subscription",
  "ResourceChangeUtcDate": "2024-12-01T09:00:00Z"
 }
]
"""
EXPORTS = (RESOURCE, _RECORDS)
_SCENARIO = """\
title: {title}
rules: [SUB-02]
by: {{user: amy, partner: contoso}}
steps:
  - at: {at}
    do: purchase
    subject: {subject}
    with:
      {{customer: {customer}, partner: contoso, product: {{sku: E3}}, quantity: {quantity},
       term: P1Y, billing: monthly}}
    note: {note}
  - {{at: 2024-11-01T00:00:00Z, subject: s1, expect: {expect}}}
"""
_GOOD = {
    "title": "A sale",
    "at": "2024-10-01T09:00:00Z",
    "subject": "s1",
    "customer": "tailspin",
    "quantity": "30",
    "note": "a sale",
    "expect": "{state: active}",
}
_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{two}'] * 10)}]\n"
    for two, one in zip("abcdefgh", "bcdefghi", strict=True)
)
_YAML = (
    _LAUGHS,
    "a: &a {b: *a}\n",
    "a: &a {<<: *a}\n",
    "a: &a [1]\n<<: *a\n",
    "<<: [{a: 1}, {a: 2}]\na: 3\n",
    "<<: {a: 1}\n<<: {b: 1}\n",
    "[" * 20_000,
    "[" * 200 + "]" * 200,
    "{a: " * 20_000,
    "- " * 20_000,
    "".join("  " * depth + "a:\n" for depth in range(400)),
    "a: {b: [c, d}\n",
    "a: {b c, d: e: f}\n",
    "\ta: 1\n",
    "a:\n\t- b\n",
    "title: [a, list]\nrules: {a: mapping}\nsteps: text\n",
    "? [a, b]\n: c\n",
    "? {a: b}\n: c\n",
    "1: 2\ntrue: 3\nnull: 4\n2024-01-01: 5\n",
    "a: 1\na: 2\n",
    "a: !!binary |\n  aGVsbG8=\n",
    "%YAML 3.0\n---\na: 1\n",
    "--- a\n--- b\n",
    "a: |\n" + "  x\n" * 50_000,
    "a: " + "x" * 200_000,
    "a: " + "x" * 900_000,
    "x: [" + "a, " * 80_000 + "a]\n",
    "steps:\n" + "  - {nothing: at all}\n" * 10_000,
    "a: b" * 1_000_000,
    "k: v\n" * 50_000,
    "a: \x00\n",
    "a: \x1b[31m\n",
    "\u202etitle: x\n",
    '"\\e]0;title\\a": 1\n',
)
_JSON = (
    "[" * 100_000,
    "[" * 900 + "]" * 900,
    '{"a":' * 900 + "1" + "}" * 900,
    '{"items": ' * 900,
    '{"items": [{"items": [1]}]}',
    '{"a": 1, "a": 2}',
    "[" + "{}," * 50_000 + "{}]",
    "{}\n" * 50_000,
    '{"offerId": ' + "9" * 5000 + ', "commitmentEndDate": 1}',
    '{"offerId": 1, "commitmentEndDate": 1, "id": {}, "status": [], "quantity": 1e30}',
    '{"lineItems": {"a": 1}}',
    '{"lineItems": [1, null, "x", [], {}]}',
    '{"operationType": 1, "operationDate": "x", "resourceNewValue": "' + "[" * 9000 + '"}',
    '{"eventName": "x", "resourceChangeUtcDate": "9999-12-31T23:59:59Z", "resourceUri": 5}',
    '{"currentSubscriptionId": null, "targetDate": "0001-01-01T00:00:00Z", "status": {}}',
    '"' + "x" * 100_000,
    "nul",
    "{",
    '{"a"',
    "]",
    "\x00",
    '{"a": "\x01"}',
)
_CSV = (
    "id\n" + "1\n" * 20_000,
    "a,a\n",
    "a,a.b\n1,2\n",
    ".".join("a" * 2000) + "\n1\n",
    ",".join(f"t{number}" for number in range(5000)) + "\n",
    "x" * 2_000_000,
    "id\n" + "x" * 500_000 + "\n",
    'id\n"' + "x\n" * 100_000,
    "Date-Time,Affected customer,Action\n2024-12-01T00:00:00Z\n",
    "Date-Time,Affected customer,Action,transaction\n,,,new\n",
    "Affected customer,Action,Date-Time\n\n\n\n",
    "id,quantity\n1,\u0663\n",
    "id\x00,name\n1,2\n",
    "\x1b[31m,b\n1,2,3\n",
)
_TOML = (
    "a = " + "[" * 5000 + "]" * 5000,
    "a = " + "9" * 5000,
    "store = 1\nstore = 2\n",
    "[a.b]\n" * 2,
    '"\\u001b[31m" = 1\n',
    "workers = 1e400\n",
    "beat_seconds = nan\n",
    "deliver = 'maybe'\n",
    "store = '" + "x" * 100_000 + "'\n",
    "".join(f"k{number} = {number}\n" for number in range(20_000)),
    "a\u202e = 1\n",
    "x = 0001-01-01T00:00:00+14:00\n",
)

FOREIGN: dict[str, tuple[bytes, str]] = {
    "zip": (b"PK\x03\x04\x14\x00\x00\x00subscriptions.json", "ZIP archive; unpack it"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "ZIP archive; unpack it"),
    "xlsx": (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "Excel workbook.*save the sheet"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office document; save the sheet"),
    "gzip": (b"\x1f\x8b\x08\x00\x00", "gzip; unpack it"),
    "pdf": (b"%PDF-1.7\n", "PDF document; export"),
    "png": (b"\x89PNG\r\n\x1a\n", "image"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image"),
    "html": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "web page"),
    "utf-16 with a mark": ("a: 1\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    "utf-16 without": ("title: a sale\n".encode("utf-16-le"), "UTF-16 text.*save it as UTF-8"),
    "utf-32": ("a: 1\n".encode("utf-32"), "UTF-32 text; save it as UTF-8"),
    "latin-1": (b"title: M\xfcller\n", "no UTF-8 text; save it as UTF-8"),
    "sqlite": (b"SQLite format 3\x00\x10\x00", "SQLite database"),
    "parquet": (b"PAR1\x15\x04", "Parquet"),
}
"""Files that are something else, and what must be said of each."""


def of(kind: str, *, longest: int) -> Iterator[bytes]:
    """Yield every nasty input of a kind that has at most *longest* characters."""
    for text in _texts(kind):
        if len(text) <= longest:
            yield text.encode("utf-8", "surrogatepass")


def _texts(kind: str) -> Iterator[str]:
    match kind:
        case "scenario":
            yield from _YAML
            for nasty in NASTY_SCALARS:
                for name in _GOOD:
                    yield _SCENARIO.format(**{**_GOOD, name: nasty})
        case "pack":
            yield from _YAML
            yield from _packs()
        case "json" | "resource":
            yield from _JSON
            yield from NASTY_JSON
        case "csv":
            yield from _CSV
            for cell in NASTY_CELLS:
                yield f"id,{cell}\n{cell},2\n"
        case _:
            yield from _TOML
            for value in NASTY_TOML:
                yield f"store = {value}\n"
                yield f"store = 'x'\nworkers = {value}\n"


def _packs() -> Iterator[str]:
    lines = _PACK.decode().splitlines()
    for nasty in NASTY_SCALARS:
        for number, line in enumerate(lines):
            key, colon, _ = line.partition(":")
            if colon:
                yield "\n".join([*lines[:number], f"{key}: {nasty}", *lines[number + 1 :], ""])
        yield _PACK.decode().replace("value: 30", f"value: {nasty}")
        yield _PACK.decode().replace("to: 2025-01-01", f"to: {nasty}")
        yield _PACK.decode().replace('"US UM"', nasty)
