"""An agent and its client, both of the A2A SDK: a2a_sdk.py PORT URL. The agent listens on PORT, and the client reaches it at URL. In each binding,
streamed and not, it asks one question that is answered and one that fails."""

import asyncio
import sys
import threading

import httpx
import uvicorn
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.helpers import proto_helpers as h
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers.default_request_handler_v2 import DefaultRequestHandlerV2
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks.inmemory_task_store import InMemoryTaskStore
from a2a.types import a2a_pb2 as t
from starlette.applications import Starlette

port, url = int(sys.argv[1]), sys.argv[2]


class Agent(AgentExecutor):
    async def execute(self, context, queue):
        task = context.current_task or h.new_task_from_user_message(context.message)

        def status(state, said):
            return h.new_text_status_update_event(task.id, task.context_id, state, said)

        await queue.enqueue_event(task)
        await queue.enqueue_event(status(t.TaskState.TASK_STATE_WORKING, "thinking"))
        if "fail" in h.get_message_text(context.message):
            await queue.enqueue_event(status(t.TaskState.TASK_STATE_FAILED, "no wind"))
            return
        await queue.enqueue_event(h.new_text_artifact_update_event(task.id, task.context_id, "answer", "You may fly."))
        await queue.enqueue_event(status(t.TaskState.TASK_STATE_COMPLETED, "done"))

    async def cancel(self, context, queue):
        pass


def interface(path, binding):
    return t.AgentInterface(url=url + path, protocol_binding=binding, protocol_version="1.0")


card = t.AgentCard(
    name="pilot", description="flies", version="1", capabilities=t.AgentCapabilities(streaming=True),
    default_input_modes=["text"], default_output_modes=["text"],
    supported_interfaces=[interface("/rpc", "JSONRPC"), interface("/rest", "HTTP+JSON")],
    skills=[t.AgentSkill(id="fly", name="fly", description="flies", tags=["air"])],
)
handler = DefaultRequestHandlerV2(Agent(), InMemoryTaskStore(), card)
routes = create_agent_card_routes(card) + create_jsonrpc_routes(handler, "/rpc") + create_rest_routes(handler, path_prefix="/rest")
server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error"))
threading.Thread(target=server.run, daemon=True).start()


async def main():
    while not server.started:
        await asyncio.sleep(0.02)
    for binding in ("JSONRPC", "HTTP+JSON"):
        for streaming in (True, False):
            async with httpx.AsyncClient(timeout=60) as http:
                config = ClientConfig(streaming=streaming, httpx_client=http, supported_protocol_bindings=[binding])
                client = ClientFactory(config).create(card)
                for said in ("May I fly?", "please fail"):
                    message = h.new_text_message(said, role=t.Role.ROLE_USER)
                    last = None
                    async for response in client.send_message(t.SendMessageRequest(message=message)):
                        last = response
                    print(binding, streaming, "COMPLETED" in str(last), "FAILED" in str(last))


asyncio.run(main())
