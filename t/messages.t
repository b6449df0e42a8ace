#!/usr/bin/perl

# Callers of other dialects in front of a provider that only has OpenAI's chat:
# Messages, Responses, generateContent and the older completions.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $gw = Gateway->start(
    http => zone() . <<'EOF',
ai_proxy_provider says { type mock; reply "canned answer here"; }
ai_proxy_provider down { type mock; status 529; }
ai_proxy_provider cut { type mock; tokens 20; cut_after 3; }
EOF
    server => "ai_proxy_strict off;\n"
        . join('', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            qw(says down cut))
        . "location /strict/ { ai_proxy_pass says; ai_proxy_strict on; }\n");

sub ask {
    my ($path, $fields) = @_;
    return $gw->client->post($path, JSON::PP->new->canonical->encode($fields));
}

# The data of a stream's events, with the name each came under.
sub events {
    my ($reply) = @_;
    my @events;
    for my $block (split /\r?\n\r?\n/, $reply->{body}) {
        my ($name) = $block =~ /^event: (\S+)$/m;
        my ($data) = $block =~ /^data: (.*)$/m;
        push @events, { name => $name // '', text => $data,
            data => $data =~ /^\{/ ? JSON::PP::decode_json($data) : {} };
    }
    return @events;
}

my $true = JSON::PP::true;
my %message = (model => 'claude-x', max_tokens => 50,
    messages => [{ role => 'user', content => 'hello there' }]);

# Messages

my $reply = ask('/says/v1/messages', {%message});
is($reply->{status}, 200, 'a message');
my $body = Client::json($reply);
is($body->{type}, 'message', 'is one');
is($body->{role}, 'assistant', 'of the assistant');
is_deeply($body->{content},
    [{ type => 'text', text => 'canned answer here' }], 'with its text');
is($body->{stop_reason}, 'end_turn', 'and its end');
is($body->{usage}{input_tokens}, 2, 'and what it took');
is($body->{usage}{output_tokens}, 3, 'and made');

$reply = ask('/says/v1/messages', { %message, stream => $true });
like(Client::header($reply, 'Content-Type'), qr{^text/event-stream}, 'a stream');
my @events = events($reply);
is_deeply([grep { $_->{name} ne $_->{data}{type} } @events], [],
    'every event has the name of its type');
is(join(' ', map { $_->{name} } @events[0, 1, 2]),
    'message_start ping content_block_start', 'begins as it should');
is(join(' ', map { $_->{name} } @events[-3, -2, -1]),
    'content_block_stop message_delta message_stop', 'and ends so');
is(join('', map { $_->{data}{delta}{text} // '' } @events),
    'canned answer here', 'with the text between');
is($events[-2]{data}{usage}{output_tokens}, 3, 'and the usage');

$reply = ask('/says/v1/messages', { %message,
    tools => [{ name => 'f', input_schema => { type => 'object' } }],
    tool_choice => { type => 'tool', name => 'f' } });
$body = Client::json($reply);
is($body->{stop_reason}, 'tool_use', 'a call');
is($body->{content}[0]{name}, 'f', 'of the tool');
is_deeply($body->{content}[0]{input}, {}, 'without arguments');

$reply = ask('/down/v1/messages', {%message});
is($reply->{status}, 529, 'an error keeps its status');
$body = Client::json($reply);
is($body->{type}, 'error', "in Anthropic's shape");
is($body->{error}{type}, 'overloaded_error', 'and words');

@events = events(ask('/cut/v1/messages', { %message, stream => $true }));
is($events[-1]{name}, 'error', 'a stream that breaks ends with an error');
is(scalar(grep { $_->{name} eq 'message_stop' } @events), 0, 'and no other');

$reply = ask('/says/v1/messages', { model => 'm', max_tokens => 1 });
is($reply->{status}, 400, 'no messages');
like(Client::json($reply)->{error}{message}, qr/messages/, 'says so');

$reply = ask('/says/v1/messages/count_tokens', {%message});
is($reply->{status}, 200, 'tokens are counted');
cmp_ok(Client::json($reply)->{input_tokens}, '>', 0, 'more or less');

# strict

is(ask('/says/v1/messages', { %message, container => 'c' })->{status}, 200,
    'what cannot be said is left out');
$reply = ask('/strict/v1/messages', { %message, container => 'c' });
is($reply->{status}, 400, 'or refused');
like(Client::json($reply)->{error}{message}, qr/"container"/, 'by its name');
is(ask('/strict/v1/messages', {%message})->{status}, 200,
    'what can be said passes');

# Responses

my %asked = (model => 'gpt-x', input => 'hello there');
$body = Client::json(ask('/says/v1/responses', {%asked, metadata => {a => 'b'}}));
is($body->{object}, 'response', 'a response');
is($body->{status}, 'completed', 'that is whole');
is($body->{output}[0]{content}[0]{text}, 'canned answer here', 'with text');
is($body->{usage}{total_tokens}, 5, 'and usage');
is_deeply($body->{metadata}, { a => 'b' }, 'repeats what it was asked');

@events = events(ask('/says/v1/responses', { %asked, stream => $true }));
is($events[0]{name}, 'response.created', 'a stream of typed events');
is($events[-1]{name}, 'response.completed', 'to the end');
is_deeply([map { $_->{data}{sequence_number} } @events],
    [0 .. $#events], 'numbered');
is(join('', map { $_->{data}{delta} // '' } @events), 'canned answer here',
    'with the text');
unlike($events[-1]{text}, qr/\[DONE\]/, 'without [DONE]');

@events = events(ask('/cut/v1/responses', { %asked, stream => $true }));
is($events[-1]{name}, 'response.failed', 'a stream that breaks has failed');

$reply = ask('/says/v1/responses', { %asked, previous_response_id => 'r' });
is($reply->{status}, 400, 'nothing is kept here');
is(Client::json($reply)->{error}{param}, 'previous_response_id', 'says why');

# generateContent

my %content = (contents => [{ role => 'user',
    parts => [{ text => 'hello there' }] }]);
$body = Client::json(
    ask('/says/v1beta/models/gemini-x:generateContent', {%content}));
is($body->{candidates}[0]{content}{parts}[0]{text}, 'canned answer here',
    'a candidate');
is($body->{candidates}[0]{finishReason}, 'STOP', 'that stopped');
is($body->{modelVersion}, 'gemini-x', 'of the model in the path');
is($body->{usageMetadata}{totalTokenCount}, 5, 'with usage');

@events = events(ask(
    '/says/v1beta/models/gemini-x:streamGenerateContent?alt=sse', {%content}));
is(join('', map { map { $_->{text} // '' }
        @{ $_->{data}{candidates}[0]{content}{parts} } } @events),
    'canned answer here', 'streamed');
$body = Client::json(
    ask('/says/v1beta/models/gemini-x:streamGenerateContent', {%content}));
is(ref $body, 'ARRAY', 'or as one array');
$reply = ask('/says/v1beta/models/gemini-x:generateContent', {});
is($reply->{status}, 400, 'no contents');
is(Client::json($reply)->{error}{status}, 'INVALID_ARGUMENT', "Google's way");

done($gw);
