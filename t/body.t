#!/usr/bin/perl

# Request bodies: large ones work, wrong ones get a 400 that names the fault
# and never reach a provider.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Digest::SHA qw(sha256_hex);
use Test::More;

needs_module();

my $up = Upstream->start(ok => { json => chat_answer('fine') },
    claude => { json => claude_answer('fine') });
my $gw = Gateway->start(
    http => zone() . provider(ok => openai => $up->url('ok'),
            'model_map gpt-4o other;')
        . provider(claude => claude => $up->url('claude'))
        . "log_format e '\$ai_proxy_error';\n",
    access_log => '',
    server => <<'EOF');
access_log %%DIR%%/logs/access.log e;
client_max_body_size 64m;
location / { ai_proxy_pass ok; }
location /claude/ { ai_proxy_pass claude; }
location /small/ { client_max_body_size 1k; ai_proxy_pass ok; }
EOF

my $path = '/v1/chat/completions';
my $posted = 0;
sub post { $posted++; return $gw->client->post($path, @_) }

###############################################################################
# large and odd, but right

my $big = 'private-prompt ' . 'a"\\\\b' x (5 * 1024 * 1024);
my $body = chat_body(messages => [{ role => 'user', content => $big }]);
cmp_ok(length $body, '>', 30 * 1024 * 1024, 'a body of more than 30 MB');
my $reply = post($body);
is($reply->{status}, 200, 'is served');
my $seen = $up->last_request('ok');
(my $wanted = $body) =~ s/"gpt-4o"/"other"/;
is($seen->{length}, length $wanted, 'and arrives');
is($seen->{sha256}, sha256_hex($wanted), 'whole');
cmp_ok($gw->worker_memory, '<', 600 * 1024, 'within reasonable memory');

for my $case (
    ['unicode', chat_body(messages => [{ role => 'user',
        content => "\x{e9}\x{1f600}" }])],
    ['surrogate pair', '{"model":"m","messages":[{"role":"user",'
        . '"content":"\ud83d\ude00"}]}'],
    ['white space', " \n\t" . chat_body() . "\n\n"],
    ['parts', chat_body(messages => [{ role => 'user', content => [
        { type => 'text', text => 'x' },
        { type => 'image_url', image_url => { url => 'data:image/png;base64,'
            . 'AA==' } }] }])],
    ['a tool turn', chat_body(messages => [{ role => 'user',
        content => 'x' }, { role => 'assistant', content => undef,
        tool_calls => [{ id => 'c1', type => 'function', function => {
            name => 'f', arguments => '{}' } }] },
        { role => 'tool', tool_call_id => 'c1', content => 'r' }])],
    ['depth 100', '{"model":"m","messages":[{"role":"user","content":"x"}],'
        . '"x":' . '[' x 100 . ']' x 100 . '}'],
) {
    is(post($case->[1])->{status}, 200, "right: $case->[0]");
}

###############################################################################
# wrong

$up->clear;
my $deep = '[' x 10_000 . ']' x 10_000;
my $m = '"messages":[{"role":"user","content":"private-prompt"}]';
my @wrong = (
    # name, body, status, message, param
    ['empty', '', 400, qr/body|JSON|empty/i],
    ['no JSON', 'hello private-prompt', 400, qr/JSON/],
    ['cut', substr(chat_body(), 0, 40), 400, qr/JSON/],
    ['two documents', chat_body() . chat_body(), 400, qr/JSON/],
    ['a trailing comma', '{"model":"m",' . $m . ',}', 400, qr/JSON/],
    ['an array', '[1,2]', 400, qr/object/],
    ['a number', '42', 400, qr/object/],
    ['bad UTF-8', '{"model":"m","messages":[{"role":"user","content":"'
        . "\xff\xfe" . '"}]}', 400, qr/JSON|UTF-8/],
    ['a lone surrogate', '{"model":"m","messages":[{"role":"user",'
        . '"content":"\ud83d"}]}', 400, qr/JSON|surrogate|UTF/i],
    ['a control character', '{"model":"m","messages":[{"role":"user",'
        . "\"content\":\"a\x01b\"}]}", 400, qr/JSON|control/i],
    ['depth 10000', '{"model":"m",' . $m . ',"x":' . $deep . '}', 400,
        qr/deep|depth|nest|JSON/i],
    ['depth 10000 at the top', $deep, 400, qr/deep|depth|nest|JSON|object/i],
    ['a model twice', '{"model":"a","model":"b",' . $m . '}', 400,
        qr/model|duplicate/],
    ['messages twice', '{"model":"a",' . $m . ',' . $m . '}', 400,
        qr/messages|duplicate/],
    ['no messages', '{"model":"m"}', 400, qr/messages/, 'messages'],
    ['empty messages', '{"model":"m","messages":[]}', 400, qr/messages/,
        'messages'],
    ['messages of a wrong type', '{"model":"m","messages":"hi"}', 400,
        qr/messages/, 'messages'],
    ['a message that is none', '{"model":"m","messages":["hi"]}', 400,
        qr/messages/, 'messages[0]'],
    ['an unknown role', '{"model":"m","messages":[{"role":"robot",'
        . '"content":"x"}]}', 400, qr/robot/, 'messages[0].role'],
    ['content of a wrong type', '{"model":"m","messages":[{"role":"user",'
        . '"content":42}]}', 400, qr/content/, 'messages[0].content'],
    ['a model of a wrong type', '{"model":42,' . $m . '}', 400, qr/model/,
        'model'],
    ['a stream of a wrong type', '{"model":"m","stream":"yes",' . $m . '}',
        400, qr/stream/, 'stream'],
    ['tools of a wrong type', '{"model":"m","tools":{},' . $m . '}', 400,
        qr/tools/, 'tools'],
);
for my $case (@wrong) {
    my ($name, $text, $status, $message, $param) = @$case;
    my $reply = post($text);
    my $error = check_error($reply, $status, $message, "wrong: $name");
    is($error->{param}, $param, "$name: param") if defined $param;
    is($error->{type}, 'invalid_request_error', "$name: type");
    unlike($reply->{body}, qr/private-prompt/, "$name: the text is not echoed");
    my @lines = $gw->log_lines('access.log', $posted);
    like($lines[-1], qr/^invalid_(json|request)$/, "$name: in the log");
}
is(scalar(my @none = $up->requests), 0, 'no provider was asked');

# For a provider that needs conversion, the same.

check_error($gw->client->post('/claude/v1/chat/completions',
    '{"model":"m"}'), 400, qr/messages/, 'claude: no messages');
check_error($gw->client->post('/claude/v1/chat/completions',
    '{"model":"m",' . $m . ',"x":' . $deep . '}'), 400, undef,
    'claude: depth');

# Too large, by nginx's own limit.

$reply = $gw->client->post('/small/v1/chat/completions',
    chat_body(user => 'x' x 2000));
check_error($reply, 413, undef, 'too large: 413');

# A body that is announced but cut short: the connection ends, nothing goes on.

my $client = $gw->client;
$client->send('POST', $path, undef, headers => {
    'Content-Type' => 'application/json', 'Content-Length' => 1000 });
$client->write('{"model":"m"');
shutdown $client->{socket}, 1;
$reply = $client->finish;
ok(!defined $reply->{status} || $reply->{status} == 400,
    'a cut body gets no answer but a 400');
$client = $gw->client;
$client->send('POST', $path, undef, headers => {
    'Content-Type' => 'application/json', 'Transfer-Encoding' => 'chunked' });
$client->write("5\r\n{\"mod\r\nxyz\r\n");
$reply = $client->finish;
ok(!defined $reply->{status} || $reply->{status} == 400, 'bad chunks: 400');
is(scalar(my @still = $up->requests), 0, 'no provider was asked');

is(post(chat_body())->{status}, 200, 'and all is well after that');

done($gw, $up);
