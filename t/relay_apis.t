#!/usr/bin/perl

# The other APIs of providers that speak OpenAI: bytes pass, the model is
# mapped, host and credentials are the provider's.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Digest::SHA qw(sha256_hex);
use Test::More;

needs_module();

my $binary = join '', map { chr } 0 .. 255;
my $up = Upstream->start(
    json => { body => '{"object":"list","data":[ ],"usage":'
        . '{"prompt_tokens":8,"total_tokens":8}}',
        headers => [['Content-Type', 'application/json']] },
    audio => { body_base64 => 'AAECAwT//g==', headers => [
        ['Content-Type', 'audio/mpeg']] },
    file => { body_base64 => 'AAECAwT//g==', headers => [
        ['Content-Type', 'application/octet-stream'],
        ['Content-Disposition', 'attachment; filename="x.bin"']] },
    sse => { events => ["raw:event: response.created\ndata: {\"a\":1}\n\n",
        "raw:event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":"
        . "{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n"] },
    completions => { events => [map { "raw:data: $_\n\n" }
        '{"id":"1","object":"text_completion","created":1,"choices":'
        . '[{"text":"hi","index":0,"finish_reason":null}],"model":"m"}',
        '{"id":"1","object":"text_completion","created":1,"choices":'
        . '[{"text":"","index":0,"finish_reason":"stop"}],"model":"m"}',
        '[DONE]'] },
    missing => { status => 404, json => { error => { message => 'No such File',
        type => 'invalid_request_error', param => 'id', code => undef } } },
);
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => openai => $up->url($_),
        'model_map text-embedding-3-small vendor-embed;',
        'model_map whisper-1 vendor-whisper;',
        'model_map gpt-image-1 vendor-image;') }
        qw(json audio file sse completions missing))
        . provider(generic => generic => $up->url('json'),
            'api_token sk-secret-generic;')
        . provider(claude => claude => $up->url('json'))
        . provider(azure => azure => undef,
            "azure_service_url http://127.0.0.1:$up->{port}"
            . '?api-version=2024-06-01;'),
    server => 'client_max_body_size 8m; ai_proxy_models relayed;' . join '', map {
        "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(json audio file sse completions missing generic claude azure));

my $wanted = '{"object":"list","data":[ ],"usage":'
    . '{"prompt_tokens":8,"total_tokens":8}}';

###############################################################################
# JSON in, JSON out

for my $case (
    ['/v1/embeddings', '{"input" : "private-prompt",'
        . '"model": "text-embedding-3-small"}', 'vendor-embed'],
    ['/v1/images/generations', '{"model":"gpt-image-1","prompt":"x","n":1}',
        'vendor-image'],
    ['/v1/completions', '{"model":"gpt-3","prompt":"x"}', 'gpt-3'],
    ['/v1/moderations', '{"model":"omni","input":"x"}', 'omni'],
    ['/v1/responses', '{"model":"gpt-5","input":"x","n":1.0e1}', 'gpt-5'],
) {
    my ($path, $body, $model) = @$case;
    my $reply = $gw->client->post("/json$path", $body);
    is($reply->{status}, 200, "$path: status");
    is($reply->{body}, $wanted, "$path: body");
    my $seen = $up->last_request('json');
    is($seen->{path}, $path, "$path: path");
    my $sent = $body =~ s/("model"\s*:\s*")[^"]*/$1$model/r;
    is($seen->{body}, $sent, "$path: only the model is changed");
    is(Upstream::header($seen, 'Authorization'), 'Bearer sk-secret-json',
        "$path: key");
}

# GET and DELETE

my $reply = $gw->client->get('/json/v1/models',
    headers => { Authorization => 'Bearer client-key' });
is($reply->{status}, 200, 'GET /v1/models');
is($reply->{body}, $wanted, 'has the body');
my $seen = $up->last_request('json');
is("$seen->{method} $seen->{path}", 'GET /v1/models', 'as a GET');
is(Upstream::header($seen, 'Authorization'), 'Bearer sk-secret-json',
    'with our key');
is(Upstream::header($seen, 'Content-Length') // 0, 0, 'without a body');

for my $path ('/v1/files/file-1', '/v1/files?purpose=batch&limit=2',
    '/v1/models/gpt-4o', '/v1/batches/b-1')
{
    $gw->client->get("/json$path");
    is($up->last_request('json')->{path}, $path, "GET $path");
}
$reply = $gw->client->request('DELETE', '/json/v1/files/file-1', undef);
is($reply->{status}, 200, 'DELETE');
is($up->last_request('json')->{method}, 'DELETE', 'stays one');

# Binary out

$reply = $gw->client->post('/audio/v1/audio/speech',
    '{"model":"tts-1","input":"private-prompt","voice":"alloy"}');
is($reply->{status}, 200, 'speech: status');
is($reply->{body}, "\0\1\2\3\4\xff\xfe", 'speech: bytes');
is(Client::header($reply, 'Content-Type'), 'audio/mpeg', 'speech: type');
$reply = $gw->client->get('/file/v1/files/file-1/content');
is($reply->{body}, "\0\1\2\3\4\xff\xfe", 'file content: bytes');
like(Client::header($reply, 'Content-Disposition') // '', qr/x\.bin/,
    'file content: its name');

# Multipart in: the model part is mapped, all else is untouched

my $boundary = 'X-BOUNDARY-1';
my $form = sub {
    my ($model) = @_;
    return join '', map { "--$boundary\r\n$_\r\n" }
        (qq(Content-Disposition: form-data; name="file"; filename="a.wav"\r\n)
        . qq(Content-Type: audio/wav\r\n\r\n$binary"name=model"\r\n--X-BOUND),
        qq(Content-Disposition: form-data; name="model"\r\n\r\n$model),
        qq(Content-Disposition: form-data; name="language"\r\n\r\nen));
};
my $body = $form->('whisper-1') . "--$boundary--\r\n";
$reply = $gw->client->post('/json/v1/audio/transcriptions', $body, headers =>
    { 'Content-Type' => "multipart/form-data; boundary=$boundary" });
is($reply->{status}, 200, 'multipart: status');
$seen = $up->last_request('json');
use MIME::Base64 qw(decode_base64);
my $got = defined $seen->{body} ? $seen->{body}
    : decode_base64($seen->{body_base64} // '');
is($got, $form->('vendor-whisper') . "--$boundary--\r\n",
    'multipart: only the model part is changed');
is(Upstream::header($seen, 'Content-Type'),
    "multipart/form-data; boundary=$boundary", 'multipart: type');

my $large = "--$boundary\r\n" . qq(Content-Disposition: form-data; )
    . qq(name="file"; filename="b"\r\n\r\n) . 'z' x 3_000_000
    . "\r\n--$boundary--\r\n";
$reply = $gw->client->post('/json/v1/files', $large, headers =>
    { 'Content-Type' => "multipart/form-data; boundary=$boundary" });
is($reply->{status}, 200, 'a file of 3 MB');
is($up->last_request('json')->{sha256}, sha256_hex($large), 'arrives whole');

# Streams of other APIs pass as they are

$reply = $gw->client->post('/sse/v1/responses',
    '{"model":"m","input":"x","stream":true}');
is($reply->{body}, "event: response.created\ndata: {\"a\":1}\n\n"
    . "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":"
    . "{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
    'a responses stream');
like(Client::header($reply, 'Content-Type'), qr{^text/event-stream}, 'type');
$reply = $gw->client->post('/completions/v1/completions',
    '{"model":"m","prompt":"x","stream":true}');
like($reply->{body}, qr/"text":"hi".*"finish_reason":"stop".*\[DONE\]\n\n$/s,
    'a completions stream');

# Unknown paths: untouched but for host and credentials

$reply = $gw->client->post('/json/v1/x/unknown?q=1', 'any body at all',
    headers => { 'Content-Type' => 'text/plain', 'X-Own' => 'header' });
is($reply->{status}, 200, 'an unknown path');
$seen = $up->last_request('json');
is($seen->{body}, 'any body at all', 'its body');
like($seen->{path}, qr{/v1/x/unknown\?q=1$}, 'its path and query');
is(Upstream::header($seen, 'Content-Type'), 'text/plain', 'its type');
is(Upstream::header($seen, 'Authorization'), 'Bearer sk-secret-json',
    'the key');

# Errors

$reply = $gw->client->get('/missing/v1/files/nope');
check_error($reply, 404, qr/No such File/, 'a provider error of a file');

# What a provider does not have

$reply = $gw->client->post('/claude/v1/embeddings',
    '{"model":"m","input":"x"}');
check_error($reply, 404, undef, 'embeddings of claude: not there');
is(Client::json($reply)->{error}{code}, 'unsupported_api', 'with its code');

# generic is transparent, azure has its own paths

$reply = $gw->client->post('/generic/v1/chat/completions', chat_body());
is($reply->{status}, 200, 'generic');
is($up->last_request('json')->{path}, '/v1/chat/completions', 'its path');
$up->behave('' => { json => chat_answer('azure') });
$reply = $gw->client->post('/azure/v1/chat/completions', chat_body());
is(Client::text($reply), 'azure', 'azure');
$seen = $up->last_request('');
is($seen->{target}, '/openai/deployments/gpt-4o/chat/completions'
    . '?api-version=2024-06-01', 'its path with deployment and version');
is(Upstream::header($seen, 'api-key'), 'sk-secret-azure', 'its key');

# HEAD

$reply = $gw->client->request('HEAD', '/json/v1/models', undef);
is($reply->{status}, 200, 'HEAD');
is($reply->{body}, '', 'has no body');

done($gw, $up);
