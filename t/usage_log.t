#!/usr/bin/perl

# The variables and the JSON log line of every kind of request.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hi') },
    stream => { events => stream_events('one two') },
    claude => { events => claude_events('one two') },
    no_usage => { json => do { my $a = chat_answer('hi');
        delete $a->{usage}; $a } },
    broken => { status => 500, json => { error => { message => 'boom' } } },
    cut => { events => stream_events('one two'), cut => 1 },
    embeddings => { json => { object => 'list', data => [],
        usage => { prompt_tokens => 8, total_tokens => 8 } } },
    slow => { json => chat_answer('hi'), delay => 0.3 },
);
my @names = qw(plain stream claude no_usage broken cut embeddings slow);
my @variables = qw(api request_model model provider route stream tries
    input_tokens output_tokens total_tokens cached_tokens reasoning_tokens
    usage_source finish_reason ttft duration overhead error);
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => ($_ eq 'claude'
            ? 'claude' : 'openai') => $up->url($_),
            'model_map gpt-4o "vendor \"x\"";') } @names)
        . "log_format v escape=json '{"
        . join(',', map { qq("$_":"\$ai_proxy_$_") } @variables)
        . ",\"upstream\":\"\$upstream_status\",\"status\":\"\$status\"}';\n"
        . "log_format j escape=none '\$ai_proxy_log';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/v.log v;\n"
        . "access_log %%DIR%%/logs/j.log j;\n"
        . "location = /other { return 200 ok; }\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

my $count = 0;
sub run {
    my ($name, $path, $body) = @_;
    $gw->client->post("/$name$path", $body);
    $count++;
    my @v = $gw->log_lines('v.log', $count);
    my @j = $gw->log_lines('j.log', $count);
    my ($v, $j) = (decode($v[-1]), decode($j[-1]));
    ok($v, "$name: the line of variables") or diag($v[-1]);
    ok($j, "$name: \$ai_proxy_log is JSON") or diag($j[-1]);
    return ($v // {}, $j // {});
}
my $chat = '/v1/chat/completions';
my $seconds = qr/^\d+\.\d+$/;

###############################################################################

my ($v, $j) = run('plain', $chat, chat_body());
is($v->{api}, 'openai/v1/chatcompletions', 'api');
is($v->{request_model}, 'gpt-4o', 'request_model');
is($v->{model}, 'vendor "x"', 'model');
is($v->{provider}, 'plain', 'provider');
is($v->{route}, 'plain', 'route of a bare provider');
is($v->{stream}, '0', 'stream');
is($v->{input_tokens}, 11, 'input tokens');
is($v->{output_tokens}, 4, 'output tokens');
is($v->{total_tokens}, 15, 'total tokens');
is($v->{cached_tokens}, 3, 'cached tokens');
is($v->{reasoning_tokens}, 2, 'reasoning tokens');
is($v->{usage_source}, 'provider', 'usage source');
is($v->{finish_reason}, 'stop', 'finish reason');
like($v->{duration}, $seconds, 'duration');
like($v->{overhead}, $seconds, 'overhead');
like($v->{tries}, qr/^plain:0:200:\d+\.\d+$/, 'tries');
is($v->{error}, '', 'no error');
is($v->{upstream}, '200', '$upstream_status');

is($j->{provider}, 'plain', 'log: provider');
is($j->{model}, 'vendor "x"', 'log: model, escaped');
is($j->{input_tokens}, 11, 'log: numbers');
is($j->{status}, 200, 'log: status');
is(scalar @{ $j->{tries} }, 1, 'log: tries');
ok(!exists $j->{error}, 'log: no error');

($v, $j) = run('stream', $chat, chat_body(stream => JSON::PP::true));
is($v->{stream}, '1', 'stream: said so');
is($v->{total_tokens}, 15, 'stream: tokens although the client did not ask');
is($v->{finish_reason}, 'stop', 'stream: finish');
like($v->{ttft}, $seconds, 'stream: time to first token');
cmp_ok($v->{ttft}, '<=', $v->{duration}, 'stream: before the end');
ok(ref $j->{stream} || $j->{stream}, 'stream: in the log');

($v, $j) = run('claude', $chat, chat_body(stream => JSON::PP::true));
is($v->{input_tokens}, 11, 'claude: cached tokens are part of the input');
is($v->{cached_tokens}, 3, 'claude: cached');
is($v->{output_tokens}, 4, 'claude: output is not counted twice');
is($v->{total_tokens}, 15, 'claude: total');

($v, $j) = run('no_usage', $chat, chat_body());
is($v->{usage_source}, 'none', 'no usage: none is made up');
is($v->{total_tokens}, '', 'no usage: empty');
ok(!exists $j->{total_tokens}, 'no usage: not in the log');

($v, $j) = run('broken', $chat, chat_body());
is($v->{error}, 'upstream_status', 'an error has its name');
is($v->{status}, 500, 'and status');
like($v->{tries}, qr/^broken:0:500:/, 'and its try');
is($j->{error}, 'upstream_status', 'in the log');
is($j->{tries}[0]{status}, 500, 'with the try');

($v, $j) = run('cut', $chat, chat_body(stream => JSON::PP::true));
is($v->{status}, 200, 'a cut stream');
like($v->{error}, qr/^upstream_(truncated|closed)$/, 'has its name');
is($v->{finish_reason}, '', 'and no finish');

($v, $j) = run('embeddings', '/v1/embeddings',
    '{"model":"gpt-4o","input":"private-prompt"}');
is($v->{api}, 'openai/v1/embeddings', 'embeddings: api');
is($v->{input_tokens}, 8, 'embeddings: input');
is($v->{output_tokens}, 0, 'embeddings: no output');
is($v->{total_tokens}, 8, 'embeddings: total');

($v, $j) = run('slow', $chat, chat_body());
cmp_ok($v->{duration}, '>=', 0.29, 'the time of the provider');
cmp_ok($v->{overhead}, '<', 0.1, 'is not our overhead');
cmp_ok($j->{tries}[0]{seconds}, '>=', 0.29, 'but that of the try');

($v, $j) = run('plain', $chat, '{"model":"gpt-4o"}');
is($v->{error}, 'invalid_request', 'a wrong request');
is($v->{status}, 400, 'with its status');
is($v->{tries}, '', 'and no try');

# In other locations the variables are empty.

$gw->client->get('/other');
$count++;
my @lines = $gw->log_lines('v.log', $count);
$v = decode($lines[-1]);
is($v->{status}, 200, 'another location');
is($v->{$_}, '', "has no $_") for qw(api tries error duration);

done($gw, $up);
