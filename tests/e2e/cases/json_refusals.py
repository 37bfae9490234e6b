"""Contract, section 3: every JSON text that is refused, by name, and its nearest neighbours that are not."""

from lib.suite import case

SEND = ("Chats.SendMessage",)
LIST = ("Chats.ListMessages",)




NESTED_16 = b'{"text":' + b"[" * 15 + b"]" * 15 + b"}"
NESTED_17 = b'{"text":' + b"[" * 16 + b"]" * 16 + b"}"

# name: (body, what Detail says). No row is a wrong request in any other way: the row's fault is the only one.
REFUSED = {
    "an unknown field": (b'{"chat_id":"c","frobnicate":1}', "frobnicate"),
    "an unknown field that is null": (b'{"chat_id":"c","frobnicate":null}', "frobnicate"),
    "an unknown field of an empty name": (b'{"chat_id":"c","":1}', "unknown field"),
    "a field in the wrong case": (b'{"Chat_Id":"c"}', "Chat_Id"),
    "a field given twice": (b'{"chat_id":"c","chat_id":"c"}', "chat_id"),
    "a field given twice, once with an escape": (b'{"chat_id":"c","ch\\u0061t_id":"d"}', "twice"),
    "a field given twice, in two spellings": (b'{"chat_id":"c","chatId":"c"}', "chat_id"),
    "an unknown field given twice": (b'{"chat_id":"c","x":1,"x":2}', "x"),
    "a number for a string": (b'{"chat_id":7}', "chat_id"),
    "a boolean for a string": (b'{"chat_id":true}', "chat_id"),
    "a list for a string": (b'{"chat_id":["c"]}', "chat_id"),
    "an object for a string": (b'{"chat_id":{"a":1}}', "chat_id"),
    "a string for an integer": (b'{"chat_id":"c","limit":"ten"}', "limit"),
    "a boolean for an integer": (b'{"chat_id":"c","limit":false}', "limit"),
    "a list for an integer": (b'{"chat_id":"c","limit":[1]}', "limit"),
    "a number for a time": (b'{"chat_id":"c","sent_before":5}', "sent_before"),
    "a number for an order": (b'{"chat_id":"c","order":1}', "order"),
    "a fraction for an integer": (b'{"chat_id":"c","limit":1.0}', "limit"),
    "an exponent for an integer": (b'{"chat_id":"c","limit":1e3}', "limit"),
    "a fraction in a string for an integer": (b'{"chat_id":"c","limit":"1.0"}', "limit"),
    "an exponent in a string for an integer": (b'{"chat_id":"c","limit":"1e3"}', "limit"),
    "a space in a string for an integer": (b'{"chat_id":"c","limit":" 1"}', "limit"),
    "a plus sign in a string for an integer": (b'{"chat_id":"c","limit":"+1"}', "limit"),
    "a leading zero in a string for an integer": (b'{"chat_id":"c","limit":"01"}', "limit"),
    "a hexadecimal string for an integer": (b'{"chat_id":"c","limit":"0x1"}', "limit"),
    "an integer above 64 bits": (b'{"chat_id":"c","offset":9223372036854775808}', "range"),
    "an integer below 64 bits": (b'{"chat_id":"c","offset":-9223372036854775809}', "range"),
    "an integer of 400 digits": (b'{"chat_id":"c","offset":' + b"9" * 400 + b"}", "range"),
    "a decimal string above 64 bits": (b'{"chat_id":"c","offset":"9223372036854775808"}', "range"),
    "a list for an object": (b'[{"chat_id":"c"}]', "object"),
    "a string for an object": (b'"chat_id"', "object"),
    "a number for an object": (b"5", "object"),
    "null for an object": (b"null", "object"),
    "true for an object": (b"true", "object"),
    "trailing text": (b'{"chat_id":"c"}x', "byte 15"),
    "a second object": (b'{"chat_id":"c"}{"chat_id":"d"}', "byte 15"),
    "a trailing zero byte": (b'{"chat_id":"c"}\x00', "byte 15"),
    "an object without an end": (b'{"chat_id":"c"', "byte 14"),
    "a string without an end": (b'{"chat_id":"c', ""),
    "a lone brace": (b"{", "byte 1"),
    "a comma at the end of an object": (b'{"chat_id":"c",}', "byte 15"),
    "a comma at the end of a list": (b'{"chat_id":["c",]}', ""),
    "two commas": (b'{"chat_id":"c",,"limit":1}', "byte 15"),
    "no comma": (b'{"chat_id":"c" "limit":1}', "byte 15"),
    "no colon": (b'{"chat_id" "c"}', "byte 11"),
    "nesting deeper than 16": (NESTED_17, "16"),
    "nesting of 100,000": (b"[" * 100000, ""),
    "NaN": (b'{"chat_id":"c","limit":NaN}', "NaN"),
    "Infinity": (b'{"chat_id":"c","limit":Infinity}', "Infinity"),
    "minus Infinity": (b'{"chat_id":"c","limit":-Infinity}', "byte"),
    "a raw newline in a string": (b'{"chat_id":"a\nb"}', "control"),
    "a raw tab in a string": (b'{"chat_id":"a\tb"}', "control"),
    "a raw U+001F in a string": (b'{"chat_id":"a\x1fb"}', "control"),
    "a raw U+0000 in a string": (b'{"chat_id":"a\x00b"}', "U+0000"),
    "a raw control character in a field's name": (b'{"chat\n_id":"a"}', "control"),
    "single quotes": (b"{'chat_id':'c'}", "byte 1"),
    "a name without quotes": (b'{chat_id:"c"}', "byte 1"),
    "a number that ends in a point": (b'{"chat_id":"c","limit":1.}', "byte"),
    "a number that begins with a point": (b'{"chat_id":"c","limit":.5}', "byte"),
    "a number with a leading zero": (b'{"chat_id":"c","limit":01}', "byte"),
    "a number with a plus sign": (b'{"chat_id":"c","limit":+1}', "byte"),
    "a number that is a minus sign": (b'{"chat_id":"c","limit":-}', "byte"),
    "a hexadecimal number": (b'{"chat_id":"c","limit":0x10}', "byte"),
    "a word in capitals": (b'{"chat_id":"c","limit":NULL}', "byte"),
    "a comment": (b'{"chat_id":"c"/* hello */}', "byte 14"),
    "a line comment": (b'{"chat_id":"c"}// hello', "byte 15"),
    "a byte order mark": (b'\xef\xbb\xbf{"chat_id":"c"}', "byte"),
    "UTF-16": ('{"chat_id":"c"}'.encode("utf-16-le"), "byte"),
    "an unknown escape": (b'{"chat_id":"a\\x41"}', "escape"),
    "an escaped single quote": (b'{"chat_id":"a\\\'"}', "escape"),
    "a short unicode escape": (b'{"chat_id":"\\u12"}', "byte"),
    "an escaped U+0000": (b'{"chat_id":"a\\u0000b"}', "U+0000"),
    "an escaped U+0000 in a field's name": (b'{"chat_id\\u0000":"c"}', "U+0000"),
    "an escaped lone high surrogate": (b'{"chat_id":"\\ud83d"}', "surrogate"),
    "an escaped lone low surrogate": (b'{"chat_id":"\\ude00"}', "surrogate"),
    "an escaped surrogate pair the wrong way round": (b'{"chat_id":"\\ude00\\ud83d"}', "surrogate"),
    "an overlong of two bytes": (b'{"chat_id":"\xc0\xaf"}', "UTF-8"),
    "an overlong of three bytes": (b'{"chat_id":"\xe0\x80\xaf"}', "UTF-8"),
    "an overlong of four bytes": (b'{"chat_id":"\xf0\x80\x80\xaf"}', "UTF-8"),
    "an overlong U+0000": (b'{"chat_id":"\xc0\x80"}', "UTF-8"),
    "a surrogate in UTF-8": (b'{"chat_id":"\xed\xa0\x80"}', "UTF-8"),
    "a character above U+10FFFF": (b'{"chat_id":"\xf4\x90\x80\x80"}', "UTF-8"),
    "a character cut short": (b'{"chat_id":"\xf0\x9f\x98"}', "UTF-8"),
    "a lone continuation byte": (b'{"chat_id":"\x80"}', "UTF-8"),
    "the byte FF": (b'{"chat_id":"\xff"}', "UTF-8"),
    "Latin-1": (b'{"chat_id":"caf\xe9"}', "UTF-8"),
    "bytes that are not UTF-8 in a field's name": (b'{"chat_id":"c","\xff":1}', "UTF-8"),
}


def add_refused(name, data, says):
    @case(f"{name} is refused", LIST, ["INVALID_REQUEST"])
    def _(t):
        t.error(t.post("ListMessages", data), "INVALID_REQUEST", has=says)


for _name, (_data, _says) in REFUSED.items():
    add_refused(_name, _data, _says)


@case("a list of other things than strings is refused", ["Chats.CreateChat"], ["INVALID_REQUEST"])
def _(t):
    for value in (b'"ab"', b"[1,2]", b'["a",null]', b'["a",["b"]]', b'{"a":"b"}', b"7"):
        t.error(t.post("CreateChat", b'{"user_ids":' + value + b"}"), "INVALID_REQUEST", has="user_ids")


@case("nesting of 16 is not too deep, whatever else is wrong", SEND, ["INVALID_REQUEST"])
def _(t):
    value = t.error(t.post("SendMessage", NESTED_16), "INVALID_REQUEST", has="text")
    if "deep" in value["Detail"]:
        raise AssertionError(value["Detail"])


@case("white space of RFC 8259 is allowed everywhere between tokens", LIST)
def _(t):
    chat, _ = t.chat()
    data = f'\r\n\t {{ "chat_id" \n:\t"{chat}" ,\r "limit" : 5 }} \n'.encode()
    t.ok(t.post("ListMessages", data), {"messages": []})


@case("escapes mean the characters that they name", SEND)
def _(t):
    chat, users = t.chat()
    text = r"\"\\\/\b\f\n\r\té😀\u00E9A"
    data = f'{{"chat_id":"{chat}","author_id":"{users[0]}","te\\u0078t":"{text}"}}'.encode()
    got = t.ok(t.post("SendMessage", data))["message"]["text"]
    expected = '"\\/\b\f\n\r\té😀éA'
    if got != expected:
        raise AssertionError(f"{got!r} is not {expected!r}")


@case("an error quotes a client's text safely", LIST, ["INVALID_REQUEST"])
def _(t):
    t.error(t.post("ListMessages", rb'{"a\"b\\c":1}'), "INVALID_REQUEST", has="unknown field")
    long_name = "😀".encode() * 1000
    t.error(t.post("ListMessages", b'{"' + long_name + b'":1}'), "INVALID_REQUEST", has="unknown field")
    t.error(t.post("ListMessages", rb'{"x\u0007":1}'), "INVALID_REQUEST", has="unknown field")
