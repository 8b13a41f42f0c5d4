"""HTTP/1.1 on asyncio protocols: the server side of model server and gateway, and a pooled client side.

One request of a connection is in work at a time, and bodies are whole: predictions are short messages, and what can be
sent again to another replica has to be there in full.
"""
