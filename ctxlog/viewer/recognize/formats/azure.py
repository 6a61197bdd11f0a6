"""
Formats of the services of Azure.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format

FORMATS = (
    Format(
        "Azure Monitor, traces",
        '{"TimeGenerated":"2026-01-31T12:00:00.123Z","OperationId":"7f3a91c2",'
        '"OperationName":"POST /orders","Message":"payment refused","SeverityLevel":3,'
        '"AppRoleName":"shop","Properties":{"Order":"o-7"},"Type":"AppTraces"}',
        known_by="TimeGenerated OperationId",
        found={
            "id": "OperationId",
            "level": "SeverityLevel",
            "message": "Message OuterMessage Name",
        },
        scale="Application Insights",
    ),
    Format(
        "Azure Application Insights",
        '{"timestamp":"2026-01-31T12:00:00.123Z","message":"payment refused",'
        '"severityLevel":3,"operation_Id":"7f3a91c2","operation_Name":"POST /orders",'
        '"customDimensions":{"Order":"o-7"}}',
        known_by="operation_Id",
        found={
            "id": "operation_Id",
            "level": "severityLevel",
            "message": "message outerMessage",
        },
        scale="Application Insights",
        unit=0.001,
    ),
    Format(
        "Azure Monitor, requests",
        '{"TimeGenerated":"2026-01-31T12:00:00.123Z","OperationId":"7f3a91c2",'
        '"Name":"POST /orders","Url":"https://shop/orders","Success":false,'
        '"ResultCode":"503","DurationMs":41.0,"AppRoleName":"shop",'
        '"Type":"AppRequests"}',
    ),
    Format(
        "Azure, app logs",
        '{"time":"2026-01-31T12:00:00.1230000Z","resourceId":"/SUBSCRIPTIONS/1",'
        '"category":"FunctionAppLogs","level":"Error","properties":'
        '{"message":"payment refused","functionInvocationId":"7f3a91c2",'
        '"functionName":"Orders","levelId":4}}',
        known_by="time resourceId category properties",
        found={
            "id": "properties.trackingReference",
            "message": "properties.message properties.Message resultDescription",
            "status": "properties.ScStatus",
            "path": "properties.CsUriStem",
            "method": "properties.CsMethod",
            "duration": "properties.TimeTaken",
        },
    ),
    Format(
        "Azure Application Insights, sent",
        '{"name":"Microsoft.ApplicationInsights.Message","time":'
        '"2026-01-31T12:00:00.123Z","iKey":"k","tags":{"ai.operation.id":"7f3a91c2",'
        '"ai.cloud.role":"shop"},"data":{"baseType":"MessageData","baseData":'
        '{"message":"payment refused","severityLevel":"Error"}}}',
        known_by="iKey tags data",
        found={
            "id": "tags.ai.operation.id",
            "service": "tags.ai.cloud.role",
            "level": "data.baseData.severityLevel",
            "message": "data.baseData.message data.baseData.exceptions.message",
            "status": "data.baseData.responseCode data.baseData.resultCode",
            "path": "data.baseData.url",
            "duration": "data.baseData.duration",
        },
        scale="Application Insights",
    ),
    Format(
        "Azure, containers",
        '{"TimeGenerated":"2026-01-31T12:00:00.123Z","ContainerName":"shop",'
        '"PodName":"shop-1","LogMessage":"{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}",'
        '"LogSource":"stderr"}',
    ),
    Format(
        "Azure Container Apps",
        '{"TimeGenerated":"2026-01-31T12:00:00.123Z","ContainerAppName_s":"shop",'
        '"Log_s":"{\\"level\\":\\"error\\",\\"request_id\\":\\"7f3a91c2\\",'
        '\\"msg\\":\\"payment refused\\"}","Stream_s":"stderr"}',
    ),
    Format(
        "Azure Front Door",
        '{"time":"2026-01-31T12:00:00.123Z","resourceId":"/SUBSCRIPTIONS/1",'
        '"category":"FrontDoorAccessLog","properties":{"trackingReference":"7f3a91c2",'
        '"httpMethod":"POST","requestUri":"/orders","httpStatusCode":"503",'
        '"timeTaken":"0.041"}}',
    ),
)
